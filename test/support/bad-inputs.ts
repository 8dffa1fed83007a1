// What a consumer must live through: deliveries that are malformed, huge, deep, forged or merely odd, each with its
// outcome. Nothing here knows the library under test, so that the same can be thrown at another one.
import { brotliCompressSync, constants, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import type { ConfirmChannel, Options } from 'amqplib';
import { double, entry, long, nested, publishRaw, uint32, value } from './raw-tables.js';

/** One message, and what must become of it. */
export interface BadDelivery {
  readonly name: string;
  readonly content: Buffer;
  readonly properties?: Options.Publish;
  /** Headers (and timestamp) as bytes; the content type is JSON then. */
  readonly raw?: { readonly table: Buffer; readonly timestamp?: Buffer };
  /** The one broker that takes it from its sender: RabbitMQ minds NaN, the embedded broker what is very deep. */
  readonly takenBy?: 'embedded' | 'rabbitmq';
  /** Default: that of the queue. Another one needs an exchange. */
  readonly routingKey?: string;
  /** The payload that the handler sees once, or why it never sees one. */
  readonly outcome: { readonly payload: unknown } | { readonly dead: 'undecodable' | 'too-large' };
}

/** The largest body that the consumer under test takes. */
export const LIMIT = 1_000_000;

/** Puts one where a consumer gets it. */
export async function deliver(
  channel: ConfirmChannel,
  exchange: string,
  queue: string,
  bad: BadDelivery,
): Promise<void> {
  const [to, key] = bad.routingKey === undefined ? ['', queue] : [exchange, bad.routingKey];
  if (bad.raw) return publishRaw(channel, to, key, bad.content, bad.raw);
  channel.publish(to, key, bad.content, bad.properties);
  await channel.waitForConfirms();
}

const json = 'application/json';
const half = Buffer.from('{"half');
const noUtf8 = Buffer.alloc(255, 0xff);
const handled = (
  name: string,
  content: Buffer | string,
  properties: Options.Publish,
  payload: unknown,
): BadDelivery => ({ name, content: Buffer.from(content as string), properties, outcome: { payload } });
const undecodable = (name: string, content: Buffer | string, properties: Options.Publish): BadDelivery => ({
  name,
  content: Buffer.from(content as string),
  properties,
  outcome: { dead: 'undecodable' },
});
// Both: a body that is fine is handled, one that is not must find its way to the dead letters.
const withTable = (name: string, table: Buffer, timestamp?: Buffer): BadDelivery[] => [
  {
    name: `headers with ${name}`,
    content: Buffer.from('1'),
    raw: { table, timestamp },
    outcome: { payload: 1 },
  },
  {
    name: `headers with ${name}, and a body that nobody can read`,
    content: half,
    raw: { table, timestamp },
    outcome: { dead: 'undecodable' },
  },
];
const onEmbedded = (list: BadDelivery[]): BadDelivery[] =>
  list.map((bad) => ({ ...bad, takenBy: 'embedded' }));
const unreadable = (name: string, table: Buffer): BadDelivery => ({
  name: `headers with ${name}`,
  content: Buffer.from('1'),
  raw: { table },
  takenBy: 'rabbitmq',
  outcome: { dead: 'undecodable' },
});
const QUICK = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };
const encoded = (contentEncoding: string): Options.Publish => ({ contentType: json, contentEncoding });

export const bodies: readonly BadDelivery[] = [
  undecodable('malformed JSON', '{"id": 1,', { contentType: json }),
  undecodable('random bytes as JSON', Buffer.from([1, 200, 3, 255]), { contentType: json }),
  undecodable('JSON that is not UTF-8', Buffer.from([0x22, 0xff, 0x22]), { contentType: json }),
  undecodable('text that is not UTF-8', Buffer.from([0xff, 0xfe]), { contentType: 'text/plain' }),
  undecodable('an unknown content type', 'x', { contentType: 'application/x-unknown' }),
  undecodable('a content type of 255 bytes', 'x', { contentType: 'x/'.padEnd(255, 'y') }),
  undecodable('20 000 levels of JSON', '['.repeat(20_000) + ']'.repeat(20_000), { contentType: json }),
  undecodable('20 000 open brackets', '{"a":'.repeat(20_000), { contentType: json }),
  undecodable('gzip that is none', '{}', encoded('gzip')),
  undecodable('gzip that ends too early', gzipSync('{"a":1}').subarray(0, 15), encoded('gzip')),
  undecodable('gzip with nothing in it', '', encoded('gzip')),
  undecodable('an unknown encoding', '{}', encoded('zstd')),
  undecodable('two encodings', gzipSync(gzipSync('{}')), encoded('gzip, gzip')),
  undecodable('a bomb of gzip', gzipSync(Buffer.alloc(64 * LIMIT)), encoded('gzip')),
  undecodable('a bomb of br', brotliCompressSync(Buffer.alloc(64 * LIMIT), QUICK), encoded('br')),
  {
    name: 'a body over the limit',
    content: Buffer.alloc(LIMIT + 1, 0x31),
    properties: { contentType: json },
    outcome: { dead: 'too-large' },
  },
  handled('an empty body', '', { contentType: json }, undefined),
  handled('an empty body without properties', '', {}, undefined),
  handled('null', 'null', { contentType: json }, null),
  handled('a number', '42', { contentType: json }, 42),
  handled('a list', '[1,2]', { contentType: json }, [1, 2]),
  handled('a text as JSON', '"hello"', { contentType: json }, 'hello'),
  handled('JSON without properties', '{"a":1}', {}, { a: 1 }),
  handled('text without properties', 'hello', {}, 'hello'),
  handled('bytes without properties', Buffer.from([255, 0]), {}, Buffer.from([255, 0])),
  handled('plain text', '42', { contentType: 'text/plain' }, '42'),
  handled('odd case and a charset', '1', { contentType: 'Application/JSON; charset=utf-8' }, 1),
  handled('a byte order mark', '\uFEFF[1]', { contentType: json }, [1]),
  handled('gzip', gzipSync('{"a":1}'), encoded('gzip'), { a: 1 }),
  handled('deflate', deflateSync('{"a":1}'), encoded('deflate'), { a: 1 }),
  handled('deflate without a frame', deflateRawSync('{"a":1}'), encoded('deflate'), { a: 1 }),
  handled('br', brotliCompressSync('{"a":1}'), encoded('BR'), { a: 1 }),
  handled('gzip without a content type', gzipSync('hello'), { contentEncoding: 'gzip' }, 'hello'),
  handled('an encoding that is none', '1', encoded('identity'), 1),
  handled(
    '__proto__ and constructor in the body',
    '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}',
    { contentType: json },
    JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'),
  ),
  handled('a number beyond all numbers', '1e999', { contentType: json }, Infinity),
];

const many = Object.fromEntries(Array.from({ length: 1_000 }, (_, n) => [`header-${n}`, 'x'.repeat(40)]));

export const headers: readonly BadDelivery[] = [
  handled('1 000 headers', '1', { headers: many }, 1),
  undecodable('1 000 headers, and a body that nobody can read', half, { contentType: json, headers: many }),
  handled(
    'names of what objects have',
    '1',
    { headers: { constructor: 'x', toString: 'x', hasOwnProperty: 'x', valueOf: 'x' } },
    1,
  ),
  handled(
    'counters that are none',
    '1',
    { headers: { 'x-death': 'many', 'x-delivery-count': 'many', 'x-warren-attempt': -3 } },
    1,
  ),
  handled(
    'x-death with odd entries',
    '1',
    { headers: { 'x-death': [1, { count: 'many' }, { count: -1 }] } },
    1,
  ),
  handled(
    'an address of ours that is no text',
    '1',
    { headers: { 'x-warren-exchange': {}, 'x-warren-routing-key': 5 } },
    1,
  ),
  undecodable('a forged address of 60 KB', half, {
    contentType: json,
    headers: { 'x-warren-exchange': 'x'.repeat(60_000) },
  }),
  undecodable('CC and BCC', half, { contentType: json, headers: { cc: ['victim'], x: 1 } }),
  handled(
    'ids of 255 bytes and a time in the far future',
    '1',
    {
      correlationId: 'c'.repeat(255),
      messageId: 'm'.repeat(255),
      type: 't'.repeat(255),
      appId: 'a'.repeat(255),
      timestamp: 1e12,
    },
    1,
  ),
  {
    name: 'a routing key full of control characters',
    content: half,
    properties: { contentType: json },
    routingKey: 'a\r\nERROR forged \u001b[31mred\u0000\u009b\u2028',
    outcome: { dead: 'undecodable' },
  },
  ...withTable('__proto__ in them', entry('__proto__', value('F', long(entry('polluted', value('t', [1])))))),
  ...withTable(
    'a table whose __proto__ is bytes',
    entry('t', value('F', long(entry('__proto__', value('x', long(Buffer.from('x'))))))),
  ),
  ...onEmbedded(withTable('numbers that are none', entry('nan', double(NaN)))),
  ...onEmbedded(
    withTable(
      'an endless number',
      Buffer.concat([entry('up', double(Infinity)), entry('down', double(-Infinity))]),
    ),
  ),
  ...withTable('a number that looks like a large whole one', entry('n', double(2 ** 51 + 0.5))),
  ...withTable('a number below all 64 bits', entry('n', double(-1e300))),
  ...withTable('the smallest of 64 bits', entry('n', value('l', [0x80, 0, 0, 0, 0, 0, 0, 0]))),
  ...withTable('more than 2^53', entry('n', value('l', [0, 0x20, 0, 0, 0, 0, 0, 1]))),
  ...withTable('a time beyond all times', entry('t', value('T', Buffer.alloc(8, 0xff)))),
  ...withTable('a decimal', entry('d', value('D', [2], uint32(12_345)))),
  ...withTable(
    'a table that looks like a decimal, and has numbers that no decimal can have',
    entry(
      'x',
      value(
        'F',
        long(
          Buffer.concat([
            entry('!', value('S', long(Buffer.from('decimal')))),
            entry(
              'value',
              value(
                'F',
                long(
                  Buffer.concat([
                    entry('places', value('I', uint32(1_000))),
                    entry('digits', value('I', uint32(2 ** 32 - 1))),
                  ]),
                ),
              ),
            ),
          ]),
        ),
      ),
    ),
  ),
  ...withTable(
    'a table that looks like a typed value of a client library',
    entry(
      't',
      value(
        'F',
        long(
          Buffer.concat([entry('!', value('S', long(Buffer.from('nonsense')))), entry('value', value('V'))]),
        ),
      ),
    ),
  ),
  ...withTable(
    'a list of everything',
    entry('l', value('A', long(Buffer.concat([value('V'), value('t', [0]), double(2 ** 51 + 0.5)])))),
  ),
  ...withTable(
    'names and texts that are no UTF-8',
    Buffer.concat([entry(noUtf8, value('S', long(noUtf8))), entry('a', value('t', [1]))]),
  ),
  ...withTable('bytes', entry('x', value('x', long(noUtf8)))),
  ...withTable('an empty name', entry('', value('V'))),
  ...withTable('the same name twice', Buffer.concat([entry('a', value('V')), entry('a', value('t', [1]))])),
  ...withTable('nothing odd, but a timestamp of 2^64 - 1', Buffer.alloc(0), Buffer.alloc(8, 0xff)),
  ...withTable('60 levels', nested('F', 60)),
  ...withTable('120 KB', entry('large', value('S', long(Buffer.alloc(120_000, 0x61))))),
  unreadable('150 levels', nested('F', 150)),
  unreadable('21 000 tables in tables', nested('F', 21_000)),
  unreadable('25 000 lists in lists', nested('A', 25_000)),
];
