// What both sides of a call must live through: requests that are malformed or name odd addresses, and replies that are
// not what anybody waited for. Data only, so that the same can be thrown at another library.
import { gzipSync } from 'node:zlib';
import type { Options } from 'amqplib';

/** The largest body that the server under test takes and sends. */
export const LIMIT = 100_000;

/** The queue of the requests. */
export const SERVED = 'served';

/** Where answers go unless a request names another address. */
export const ANSWERS = 'answers';

/** One request, and what must come of it. */
export interface BadRequest {
  readonly name: string;
  readonly content: Buffer;
  readonly properties: Options.Publish;
  /** The answer that is in ANSWERS afterwards: its value, the code of its error, or none at all. */
  readonly answer: { readonly value: unknown } | { readonly error: string } | 'none';
}

const json = 'application/json';
const request = (
  name: string,
  answer: BadRequest['answer'],
  content: Buffer | string,
  properties: Options.Publish = {},
): BadRequest => ({
  name,
  answer,
  content: Buffer.from(content as string),
  properties: { contentType: json, replyTo: ANSWERS, correlationId: 'c', ...properties },
});
const to = (name: string, replyTo: string | undefined): BadRequest =>
  request(`a reply-to that is ${name}`, 'none', '1', { replyTo });

/** Bodies `{ "do": ... }` are for the handler: what it returns or throws. */
export const requests: readonly BadRequest[] = [
  to('not there', undefined),
  to('empty', ''),
  to('a queue that does not exist', 'no.such.queue'),
  to('the queue of the requests itself', SERVED),
  to('255 bytes long', 'x'.repeat(255)),
  to('full of control characters', 'a\r\nERROR forged\u001b[31m'),
  to('a direct one without an address', 'amq.rabbitmq.reply-to.'),
  to('a direct one with junk', 'amq.rabbitmq.reply-to.g2dkjunk=='),
  to('a direct one of the right form with junk in it', 'amq.rabbitmq.reply-to.Zm9v.YmFy'),
  to('a direct one of three parts', 'amq.rabbitmq.reply-to.g2dk.YmFy.x'),
  to(
    'a direct one that ends within the name of its node',
    `amq.rabbitmq.reply-to.${Buffer.from([131, 88, 119, 200, 1]).toString('base64')}.YmFy`,
  ),
  request('no correlation id', { value: 1 }, '1', { correlationId: undefined }),
  request('a correlation id of 255 bytes', { value: 1 }, '1', { correlationId: 'c'.repeat(255) }),
  request('malformed JSON', { error: 'WARREN_DECODE' }, '{"half'),
  request('JSON that is not UTF-8', { error: 'WARREN_DECODE' }, Buffer.from([0x22, 0xff, 0x22])),
  request('an unknown content type', { error: 'WARREN_DECODE' }, '1', { contentType: 'x/y' }),
  request('a false gzip', { error: 'WARREN_DECODE' }, '1', { contentEncoding: 'gzip' }),
  request('a bomb', { error: 'WARREN_DECODE' }, gzipSync(Buffer.alloc(64 * LIMIT)), {
    contentEncoding: 'gzip',
  }),
  request('gzip', { value: 1 }, gzipSync('1'), { contentEncoding: 'gzip' }),
  request('20 000 levels', { error: 'WARREN_DECODE' }, '['.repeat(20_000)),
  request('a body over the limit', { error: 'WARREN_TOO_LARGE' }, Buffer.alloc(LIMIT + 1, 0x31)),
  request('an empty body', { value: undefined }, ''),
  request('headers of objects', { value: 1 }, '1', {
    headers: { toString: 'x', constructor: 'x', 'x-rpc-error': 1 },
  }),
  request('an X-Request-ID that is no text', { value: 1 }, '1', { headers: { 'X-Request-ID': { a: 1 } } }),
  ...['circular', 'bigint', 'function', 'symbol'].map((what) =>
    request(
      `a handler that returns what cannot travel: ${what}`,
      { error: 'WARREN_ENCODE' },
      `{"do":"${what}"}`,
    ),
  ),
  request('a handler whose answer is too large', { error: 'WARREN_TOO_LARGE' }, '{"do":"large"}'),
  ...['secret', 'text', 'nothing', 'frozen', 'proxy', 'getters'].map((what) =>
    request(`a handler that throws: ${what}`, { error: 'INTERNAL' }, `{"do":"throw ${what}"}`),
  ),
];

/** One reply to a call, and what the caller must get. */
export interface BadReply {
  readonly name: string;
  readonly content: Buffer;
  readonly properties: Options.Publish;
  readonly outcome: { readonly value: unknown } | { readonly error: string; readonly text?: RegExp };
}

const reply = (
  name: string,
  outcome: BadReply['outcome'],
  content: Buffer | string,
  properties: Options.Publish = {},
): BadReply => ({
  name,
  outcome,
  content: Buffer.from(content as string),
  properties: { contentType: json, ...properties },
});
const failed = { headers: { 'x-rpc-error': 1 } };
const remote = (name: string, body: string, text: RegExp): BadReply =>
  reply(`an error ${name}`, { error: 'WARREN_RPC_REMOTE', text }, body, failed);
const undecodable = { error: 'WARREN_DECODE' };

export const replies: readonly BadReply[] = [
  reply('malformed JSON', undecodable, '{"a'),
  reply('not UTF-8', undecodable, Buffer.from([0x22, 0xff, 0x22])),
  reply('an unknown content type', undecodable, 'x', { contentType: 'application/x-odd' }),
  reply('a false gzip', undecodable, 'x', { contentEncoding: 'gzip' }),
  reply('an unknown encoding', undecodable, 'x', { contentEncoding: 'zstd' }),
  reply('a bomb', undecodable, gzipSync(Buffer.alloc(64 * LIMIT)), { contentEncoding: 'gzip' }),
  reply('20 000 levels', undecodable, '['.repeat(20_000)),
  reply('gzip', { value: { a: 1 } }, gzipSync('{"a":1}'), { contentEncoding: 'gzip' }),
  reply('empty', { value: undefined }, ''),
  reply('null', { value: null }, 'null'),
  reply('no properties', { value: 'x' }, 'x', { contentType: undefined }),
  reply('headers of objects', { value: 1 }, '1', { headers: { toString: 'x', constructor: 'x' } }),
  reply('an error mark that says no', { value: 1 }, '1', { headers: { 'x-rpc-error': 0 } }),
  reply('an error that cannot be read', undecodable, '{', failed),
  reply('a gzipped error', { error: 'WARREN_RPC_REMOTE', text: /zipped/ }, gzipSync('{"message":"zipped"}'), {
    ...failed,
    contentEncoding: 'gzip',
  }),
  remote('that is empty', '', /undefined/),
  remote('that is null', 'null', /null/),
  remote('that is a text', '"no"', /no/),
  remote('that is a list', '[1]', /the remote handler failed/),
  remote('with nothing known', '{"a":1}', /the remote handler failed/),
  remote(
    'with fields of other types',
    '{"name":5,"message":{},"code":[],"data":null}',
    /the remote handler failed/,
  ),
  remote('with __proto__', '{"__proto__":{"message":"forged"},"constructor":1}', /the remote handler failed/),
  remote('of a megabyte', JSON.stringify({ message: 'm'.repeat(90_000) }), /^.{1,9000}$/),
];
