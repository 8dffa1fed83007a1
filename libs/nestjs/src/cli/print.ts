// Formats dead letters for a terminal. Their content is untrusted: control characters are escaped, so that a body
// cannot move the cursor or colour the screen, and long values are cut.

import { visible, type DeadLetter } from '@warren/amqp';

const BODY = 4_000;
const STACK = 4_000;

/** One line of text with control characters escaped. */
export function safe(text: unknown, most = 1_000): string {
  const shown = visible(String(text).slice(0, most + 1));
  return shown.length > most ? `${shown.slice(0, most - 1)}…` : shown;
}

/** A table of dead letters; long cells are cut. */
export function table(letters: readonly DeadLetter[]): string {
  const rows = letters.map((letter) => [
    String(letter.position),
    letter.failedAt?.toISOString().slice(0, 19).replace('T', ' ') ?? '-',
    safe(letter.id ?? '-', 36),
    safe(letter.reason ?? '-', 20),
    safe(letter.handler ?? '-', 30),
    safe(letter.error === undefined ? '-' : `${letter.error}: ${letter.errorMessage ?? ''}`, 60),
  ]);
  const all = [['#', 'failed at (UTC)', 'message id', 'reason', 'handler', 'error'], ...rows];
  const widths = all[0].map((_, column) => Math.max(...all.map((row) => row[column].length)));
  return all
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column])).join('  '))
    .map((line) => `  ${line.trimEnd()}`)
    .join('\n');
}

/** All details of one dead letter. */
export function page(letter: DeadLetter): string {
  const { error, errorMessage, errorStack, exchange, routingKey, traceId, spanId } = letter;
  const facts: [string, string | undefined][] = [
    ['message id', letter.id],
    ['queue', letter.queue],
    ['dropped by', letter.byBroker ? 'the broker' : undefined],
    ['handler', letter.handler],
    ['reason', letter.reason],
    ['failed at', letter.failedAt?.toISOString()],
    ['attempts', String(letter.attempts)],
    ['replayed', letter.replayed > 0 ? `${letter.replayed} times` : undefined],
    ['published to', exchange === undefined ? undefined : published(exchange, routingKey ?? '')],
    ['trace', traceId === undefined ? undefined : `${traceId}, span ${spanId ?? '-'}`],
    ['error', error === undefined ? undefined : `${error}: ${errorMessage ?? ''}`],
  ];
  const lines = facts.flatMap(([name, value]) =>
    value === undefined ? [] : [`  ${name.padEnd(13)}${safe(value)}`],
  );
  const stack = errorStack === undefined ? [] : [block('stack', errorStack.split('\n'), STACK)];
  const others = block('properties', JSON.stringify(foreign(letter), null, 2).split('\n'), STACK);
  return [`-- ${safe(letter.deadQueue)} #${letter.position}`, ...lines, ...stack, others, body(letter)].join(
    '\n',
  );
}

/** One dead letter as a JSON object. The body is text when its bytes are UTF-8 text, else base64. */
export function jsonLine(letter: DeadLetter): string {
  const { content, properties, failedAt, ...facts } = letter;
  const plain = asText(content);
  return json({
    ...facts,
    failedAt: failedAt?.toISOString(),
    properties: { ...properties, headers: undefined },
    ...(plain === undefined ? { bodyBase64: content.toString('base64') } : { body: plain }),
  });
}

/** JSON in which control and invisible characters are escaped; it parses to the same value. */
export function json(value: unknown): string {
  const escaped = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  // JSON escapes each half of a surrogate pair separately.
  return JSON.stringify(value).replace(UNSEEN, (character) => character.split('').map(escaped).join(''));
}

const UNSEEN = /[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

const published = (exchange: string, key: string): string =>
  exchange === '' ? `queue ${key}` : `${exchange} with key ${key}`;

const OURS =
  /^(x-warren-(attempt|queue|handler|reason|failed-at|replayed|trace-id|span-id)|x-exception-.*|x-original-.*)$/;

/** Properties and headers that are not among the facts. */
function foreign({ properties, headers, byBroker }: DeadLetter): object {
  // On a message that the broker dead-lettered, the sender wrote the headers with our names.
  const others = Object.entries(headers).filter(([name]) => byBroker || !OURS.test(name));
  const set = Object.entries(properties).filter(
    ([name, value]) => value !== undefined && !['headers', 'messageId'].includes(name),
  );
  return { ...Object.fromEntries(set), headers: Object.fromEntries(others) };
}

function body({ content }: DeadLetter): string {
  const title = `body, ${content.length} bytes`;
  const plain = asText(content);
  if (plain === undefined) return block(title, hex(content.subarray(0, 512)), BODY);
  return block(title, pretty(plain).split('\n'), BODY);
}

function pretty(plain: string): string {
  try {
    return plain.length > 100_000 ? plain : JSON.stringify(JSON.parse(plain) as unknown, null, 2);
  } catch {
    return plain;
  }
}

/** The text that these bytes are; undefined when they are none. */
export function asText(content: Buffer): string | undefined {
  const plain = content.toString('utf8');
  const binary = /[\u0000-\u0008\u000e-\u001a]/.test(plain) || !Buffer.from(plain).equals(content);
  return binary ? undefined : plain;
}

function hex(bytes: Buffer): string[] {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const part = bytes.subarray(at, at + 16);
    const digits = [...part].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const characters = [...part].map((byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.'));
    lines.push(`${at.toString(16).padStart(4, '0')}  ${digits.padEnd(47)}  ${characters.join('')}`);
  }
  return lines;
}

function block(title: string, lines: readonly string[], most: number): string {
  const shown: string[] = [];
  let length = 0;
  for (const line of lines) {
    if (length > most) {
      shown.push('    … (cut; use --json or --save for all of it)');
      break;
    }
    length += line.length;
    shown.push(`    ${safe(line.replaceAll('\t', '  ').replace(/\r$/, ''), most)}`);
  }
  return `  ${title}\n${shown.join('\n')}`;
}
