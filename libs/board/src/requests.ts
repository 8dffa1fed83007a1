// Reads what requests say: every field is checked, since anybody may write anything there.

import type { DropRequest, EditRequest, JobRequest, ReplayRequest, Selection } from './api/dead-letters.js';
import type { CallRequest, PublishRequest, RunNowRequest } from './api/messages.js';
import type { Rate } from '@warren/nestjs';
import { BoardError } from './errors.js';
import type { HandlerChange } from './sources/handlers.js';
import type { LettersQuery } from './sources/readings.js';

type Given = Readonly<Record<string, unknown>>;

const wrong = (text: string): BoardError => new BoardError('BAD_REQUEST', text);

/** An object with these fields and no others. */
function given(body: unknown, names: readonly string[]): Given {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw wrong('the body is no JSON object');
  const other = Object.keys(body).find((name) => !names.includes(name));
  if (other !== undefined) throw wrong(`'${other.slice(0, 50)}' is no field of this act`);
  return body as Given;
}

function text(value: unknown, name: string, least = 1, most = 255): string {
  if (typeof value === 'string' && value.length >= least && Buffer.byteLength(value) <= most) return value;
  throw wrong(`${name} must be a text of ${least} to ${most} bytes`);
}

function whole(value: unknown, name: string, least: number, most: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  throw wrong(`${name} must be an integer between ${least} and ${most}`);
}

function maybe<T>(value: unknown, read: (value: unknown) => T): T | undefined {
  return value === undefined ? undefined : read(value);
}

function selection(value: unknown): Selection {
  const select = given(value, ['keys', 'group', 'all', 'text']);
  const words = maybe(select.text, (each) => text(each, 'select.text', 0, 200));
  const more = words === undefined ? {} : { text: words };
  if (select.all === true && select.group === undefined && select.keys === undefined)
    return { all: true, ...more };
  if (select.group !== undefined && select.all === undefined && select.keys === undefined)
    return { group: text(select.group, 'select.group', 1, 50), ...more };
  const { keys } = select;
  const isList = Array.isArray(keys) && keys.length > 0 && keys.length <= 500;
  if (!isList || select.all !== undefined || select.group !== undefined || words !== undefined)
    throw wrong('select must be { keys } with 1 to 500 keys, { group } or { all: true }');
  return { keys: keys.map((key) => text(key, 'a key', 1, 50)) };
}

/** See ReplayRequest. */
export function replayRequest(body: unknown): ReplayRequest {
  const { queue, select, first, rate, to } = given(body, ['queue', 'select', 'first', 'rate', 'to']);
  const read = {
    queue: text(queue, 'queue'),
    select: selection(select),
    first: maybe(first, (each) => whole(each, 'first', 1, 1_000)),
    rate: maybe(rate, rateOf),
    to: maybe(to, (each) => text(each, 'to')),
  };
  return definedOnly(read);
}

const rateOf = (value: unknown): number => {
  if (typeof value === 'number' && value >= 0.1 && value <= 10_000) return value;
  throw wrong('rate must be a number of messages a second, 0.1 to 10 000');
};

/** See DropRequest. */
export function dropRequest(body: unknown): DropRequest {
  const { queue, select, save } = given(body, ['queue', 'select', 'save']);
  if (save !== 'server' && save !== 'none') throw wrong("save must be 'server' or 'none'");
  return { queue: text(queue, 'queue'), select: selection(select), save };
}

/** See EditRequest. */
export function editRequest(body: unknown): EditRequest {
  const { queue, key, body: content, force } = given(body, ['queue', 'key', 'body', 'force']);
  return {
    queue: text(queue, 'queue'),
    key: text(key, 'key', 1, 50),
    body: text(content, 'body', 0, 1_000_000),
    force: force === true,
  };
}

/** See JobRequest. */
export function jobRequest(body: unknown): JobRequest {
  const { job, rate } = given(body, ['job', 'rate']);
  return definedOnly({ job: text(job, 'job', 1, 50), rate: maybe(rate, rateOf) });
}

/** See RunNowRequest. */
export function runNowRequest(body: unknown): RunNowRequest {
  const { queue, key } = given(body, ['queue', 'key']);
  return { queue: text(queue, 'queue'), key: text(key, 'key', 1, 50) };
}

/** See PublishRequest. */
export function publishRequest(body: unknown): PublishRequest {
  const { exchange, routingKey, payload, headers } = given(body, [
    'exchange',
    'routingKey',
    'payload',
    'headers',
  ]);
  if (payload === undefined) throw wrong('payload is missing');
  const target = text(exchange, 'exchange', 0);
  const read = {
    exchange: target,
    routingKey: text(routingKey, 'routingKey', target === '' ? 1 : 0),
    payload,
    headers: maybe(headers, headersOf),
  };
  return definedOnly(read);
}

function headersOf(value: unknown): Record<string, string | number | boolean> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong('headers must be an object');
  const entries = Object.entries(value);
  if (entries.length > 50) throw wrong('a test message has at most 50 headers');
  for (const [name, each] of entries) {
    // They would make it look like a retry or a dead letter.
    if (/^x-(warren|death|first-death|last-death|delivery-count)/i.test(name))
      throw wrong(`the header '${name.slice(0, 50)}' is not for test messages`);
    if (!['string', 'number', 'boolean'].includes(typeof each))
      throw wrong('headers must be texts, numbers or booleans');
  }
  return Object.fromEntries(entries);
}

/** See CallRequest. */
export function callRequest(body: unknown): CallRequest {
  const { pattern, payload, timeout } = given(body, ['pattern', 'payload', 'timeout']);
  return definedOnly({
    pattern: text(pattern, 'pattern'),
    payload,
    timeout: maybe(timeout, (each) => whole(each, 'timeout', 1, 60_000)),
  });
}

/** What to change of which handler. */
export interface HandlerActRequest {
  readonly handler: string;
  readonly change: HandlerChange;
  /** In all instances; undefined for this process. */
  readonly everywhere?: { readonly service: string | undefined };
}

/** See HandlerRequest, HandlerNumberRequest and HandlerRateRequest. */
export function handlerRequest(act: string, body: unknown): HandlerActRequest {
  const isSwitch = act === 'handler.pause' || act === 'handler.resume';
  const fields = ['handler', 'everywhere', 'service', ...(isSwitch ? [] : ['value'])];
  const { handler, everywhere = false, service, value } = given(body, fields);
  const id = text(handler, 'handler');
  if (typeof everywhere !== 'boolean') throw wrong('everywhere must be true or false');
  const of = maybe(service, (each) => text(each, 'service'));
  if (!everywhere && of !== undefined) throw wrong('service is for acts with everywhere: true');
  const read = { handler: id, change: changeOf(act, value) };
  return everywhere ? { ...read, everywhere: { service: of } } : read;
}

function changeOf(act: string, value: unknown): HandlerChange {
  if (act === 'handler.pause' || act === 'handler.resume') return { paused: act === 'handler.pause' };
  if (act === 'handler.rate') {
    const isRate =
      value === null || (typeof value === 'string' && /^\d{1,7}(\.\d{1,3})?\/[smh]$/.test(value));
    if (!isRate) throw wrong("value must be a rate such as '100/s', or null");
    return { rate: value as Rate | null };
  }
  const number = whole(value, 'value', 1, 65_535);
  return act === 'handler.prefetch' ? { prefetch: number } : { concurrency: number };
}

/** The query of a list of letters. */
export function lettersQuery(query: Given): LettersQuery {
  const number = (name: string, other: number, least: number, most: number): number =>
    query[name] === undefined ? other : whole(Number(query[name]), name, least, most);
  return {
    group: maybe(query.group, (each) => text(each, 'group', 1, 50)),
    text: maybe(query.text, (each) => text(each, 'text', 0, 200)),
    offset: number('offset', 0, 0, 10_000),
    limit: number('limit', 100, 1, 500),
    fresh: query.fresh === '1',
    all: query.all === '1',
  };
}

/** The query of a tail: an exchange and up to 20 keys. */
export function tailQuery({ exchange, key }: Given): { exchange: string; keys: readonly string[] } {
  const keys = key === undefined ? ['#'] : [key].flat();
  if (keys.length > 20) throw wrong('a tail has at most 20 keys');
  return { exchange: text(exchange, 'exchange'), keys: keys.map((each) => text(each, 'key', 0)) };
}

/** A queue or an id in a path. */
export const nameOf = (value: unknown): string => text(value, 'the name', 1, 255);

/** Without the fields that are not there. */
function definedOnly<T extends object>(value: T): { [Name in keyof T]: Exclude<T[Name], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as never;
}
