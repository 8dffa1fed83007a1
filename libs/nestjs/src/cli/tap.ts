// The command tap: prints copies of the messages of an exchange as they pass. Nothing of a message is trusted: see print.ts.

import { parseArgs } from 'node:util';
import { systemClock, tap, type TapOptions, type TappedMessage } from '@warren/amqp';
import { UsageError, whole } from './arguments.js';
import { asText, json as jsonText, safe } from './print.js';
import { EXIT, type Terminal } from './terminal.js';

const text = { type: 'string' } as const;
const OPTIONS = {
  url: text,
  exchange: text,
  headers: { type: 'string', multiple: true },
  limit: text,
  body: text,
  json: { type: 'boolean', default: false },
} as const;

/** The parsed arguments of the command. */
interface TapArguments {
  readonly options: TapOptions;
  readonly limit: number;
  readonly body: number;
  readonly json: boolean;
}

/** Runs the command; resolves with its exit code. `read` is what gives the messages. */
export async function runTap(args: readonly string[], terminal: Terminal, read = tap): Promise<number> {
  const { options, limit, body, json } = parseTap(args, terminal.environment);
  const { out, err, signal, drained } = terminal;
  const onReady = (): void => err(`Reading from exchange '${safe(options.exchange)}'.`);
  let printed = 0;
  for await (const message of read({ ...options, signal, onReady })) {
    const at = new Date(systemClock.wall());
    out(json ? messageJson(message, at, body) : messageText(message, at, body));
    if (++printed === limit) return EXIT.done;
    await drained?.();
  }
  return EXIT.interrupted;
}

/** @throws UsageError */
export function parseTap(args: readonly string[], environment: Terminal['environment']): TapArguments {
  const { values, positionals } = read(args);
  const { exchange = 'events', headers, json } = values;
  const url = values.url ?? (environment.RABBITMQ_URL || undefined);
  if (headers && positionals.length > 0) throw new UsageError('tap takes either keys or --headers');
  if (exchange === '') throw new UsageError('--exchange requires a name');
  return {
    options: {
      exchange,
      ...(url !== undefined && { url }),
      ...(positionals.length > 0 && { keys: positionals }),
      ...(headers && { headers: Object.fromEntries(headers.map(header)) }),
    },
    limit: whole('--limit', values.limit) ?? Infinity,
    body: values.body === '0' ? 0 : (whole('--body', values.body) ?? (json ? Infinity : 1_000)),
    json,
  };
}

function read(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** A number, true, false or text in quotes is read as JSON; everything else is text. */
const LITERAL = /^(-?\d+(\.\d+)?|true|false|".*")$/s;

function header(given: string): [string, unknown] {
  const at = given.indexOf('=');
  const name = at < 0 ? given : given.slice(0, at);
  if (name === '') throw new UsageError(`--headers requires a name, such as k=v, but is '${given}'`);
  if (at < 0) return [name, null];
  const value = given.slice(at + 1);
  try {
    return [name, LITERAL.test(value) ? (JSON.parse(value) as unknown) : value];
  } catch {
    return [name, value];
  }
}

/** One message as text: a line with its facts, one with its headers if it has any, and its body. */
export function messageText(message: TappedMessage, at: Date, most: number): string {
  const { routingKey, content, headers, properties } = message;
  const { messageId, correlationId, appId, type, contentType, contentEncoding, replyTo } = properties;
  const facts = Object.entries({ id: messageId, from: appId, type, correlation: correlationId, replyTo })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${safe(value, 255)}`);
  const kinds = [contentType, contentEncoding].filter((kind) => kind !== undefined);
  const size = [`${content.length} bytes`, ...kinds.map((kind) => safe(kind, 255))].join(' ');
  return [
    [at.toISOString().slice(11, 23), safe(routingKey, 255), ...facts, size].join('  '),
    ...(Object.keys(headers).length > 0 ? [`    ${safe(jsonText(headers), 2_000)}`] : []),
    ...(most > 0 && content.length > 0 ? [`    ${bodyText(content, most)}`] : []),
  ].join('\n');
}

function bodyText(content: Buffer, most: number): string {
  const shown = beginning(content, most);
  const plain = asText(shown);
  const printed = plain === undefined ? shown.toString('hex') : safe(plain, Infinity);
  return shown.length < content.length ? `${printed}…` : printed;
}

/** One message as a JSON object. The body is text when its bytes are UTF-8 text, else base64. */
export function messageJson(message: TappedMessage, at: Date, most: number): string {
  const { exchange, routingKey, properties, headers, content } = message;
  const shown = beginning(content, most);
  const plain = asText(shown);
  return jsonText({
    at: at.toISOString(),
    exchange,
    routingKey,
    properties: { ...properties, headers: undefined },
    headers,
    bytes: content.length,
    ...(most > 0 && (plain === undefined ? { bodyBase64: shown.toString('base64') } : { body: plain })),
    ...(most > 0 && shown.length < content.length && { cut: true }),
  });
}

/** At most so many bytes, without a part of a character at the end. */
function beginning(content: Buffer, most: number): Buffer {
  if (content.length <= most) return content;
  let end = most;
  while (end > 0 && most - end < 4 && (content[end] & 0xc0) === 0x80) end--;
  return content.subarray(0, end);
}
