// Deliveries out of a seed: tables of every type the wire has, ids of bytes that are no text, bodies that are cut, flipped
// and mislabelled. Only what a broker takes from its sender.
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import type { Options } from 'amqplib';
import type { Random } from '../contract/random.js';
import { double, entry, long, uint32, value } from './raw-tables.js';

const TYPES = [
  'application/json',
  'text/plain',
  'application/octet-stream',
  'x/y',
  '',
  'APPLICATION/JSON;q=1',
  'text',
];
const ENCODINGS = ['gzip', 'deflate', 'br', 'identity', 'gzip, br', 'GZIP ', 'zstd', ''];
const NAMES = [
  '__proto__',
  'constructor',
  'toString',
  'x-death',
  'x-delivery-count',
  'x-warren-attempt',
  'x-warren-exchange',
];
const OWN = [
  'x-warren-routing-key',
  'x-warren-deadline',
  'x-rpc-error',
  'x-warren-unreadable-headers',
  'x-exception-type',
  '!',
  'value',
  '',
];

/** Bytes without a pattern. */
export function bytes(random: Random, most: number): Buffer {
  return Buffer.from(Array.from({ length: random.below(most + 1) }, () => random.below(256)));
}

/** Text of all planes, control characters among it. */
export function text(random: Random, most: number): string {
  const points = Array.from({ length: random.below(most + 1) }, () =>
    random.below(random.chance(0.5) ? 0x80 : 0x2fff),
  );
  return Buffer.from(String.fromCodePoint(...points)).toString();
}

/** Entries of a table. */
export function table(random: Random, depth = 0): Buffer {
  const count = random.below(depth === 0 ? 12 : 4);
  return Buffer.concat(Array.from({ length: count }, () => entry(name(random), field(random, depth))));
}

function name(random: Random): Buffer {
  if (random.chance(0.3)) return Buffer.from(random.pick([...NAMES, ...OWN]));
  return random.chance(0.5) ? bytes(random, 255) : Buffer.from(text(random, 20));
}

function field(random: Random, depth: number): Buffer {
  const raw = (length: number): Buffer => Buffer.from(Array.from({ length }, () => random.below(256)));
  const fields = [
    () => value('S', long(bytes(random, 300))),
    () => value('x', long(bytes(random, 300))),
    () => value('t', [random.below(2)]),
    () => value('V'),
    () => value('b', raw(1)),
    () => value('B', raw(1)),
    () => value('s', raw(2)),
    () => value('u', raw(2)),
    () => value('I', raw(4)),
    () => value('i', raw(4)),
    () => value('l', raw(8)),
    () => value('T', raw(8)),
    () => value('D', [random.below(256)], uint32(random.below(2 ** 31))),
    () => double((random.chance(0.5) ? -1 : 1) * random.below(2 ** 30) * 2 ** (random.below(600) - 300)),
    () => value('F', long(table(random, depth + 1))),
    () =>
      value(
        'A',
        long(Buffer.concat(Array.from({ length: random.below(4) }, () => field(random, depth + 1)))),
      ),
  ];
  return random.pick(depth > 6 ? fields.slice(0, -2) : fields)();
}

/** A body that may be what its type and encoding say, or not. */
export function body(random: Random): { content: Buffer; contentType?: string; contentEncoding?: string } {
  let content = random.chance(0.5)
    ? Buffer.from(JSON.stringify({ n: random.below(1_000), list: [text(random, 10), null] }))
    : bytes(random, 200);
  const contentType = random.chance(0.2) ? undefined : random.pick(TYPES);
  const contentEncoding = random.chance(0.6) ? undefined : random.pick(ENCODINGS);
  if (random.chance(0.8)) {
    if (contentEncoding === 'gzip') content = gzipSync(content);
    if (contentEncoding === 'deflate') content = deflateSync(content);
    if (contentEncoding === 'br') content = brotliCompressSync(content);
  }
  if (content.length > 0 && random.chance(0.2)) content[random.below(content.length)] ^= 1 << random.below(8);
  if (random.chance(0.1)) content = content.subarray(0, random.below(content.length + 1));
  return { content, contentType, contentEncoding };
}

/** Properties as a client library takes them. */
export function properties(random: Random): Options.Publish {
  const maybe = <T>(make: () => T): T | undefined => (random.chance(0.5) ? make() : undefined);
  const id = (): string => Buffer.from(text(random, 80)).subarray(0, 250).toString().slice(0, 80);
  return {
    messageId: maybe(id),
    correlationId: maybe(id),
    type: maybe(id),
    appId: maybe(id),
    replyTo: maybe(id),
    priority: maybe(() => random.below(256)),
    timestamp: maybe(() => random.below(2 ** 31) * 2 ** random.below(20)),
    deliveryMode: maybe(() => random.below(2) === 1),
    expiration: maybe(() => '60000'),
  };
}
