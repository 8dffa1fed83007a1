// What the strangers of tools/fuzz.mjs send: the handshake, frames with random methods and contents, and bytes that are
// changed on the way.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './run.mjs';

/**
 * @typedef {import('./fuzz-random.mjs').Dice} Dice
 * @typedef {(dice: Dice) => Buffer} MakeTable
 */

/** Of the user `fuzz`. */
export const PASSWORD = 'fuzz';

/** @param {string} name */
const wire = (name) =>
  import(pathToFileURL(join(root, 'libs', 'embedded', 'dist', 'esm', 'wire', name)).href);

/** @param {number} type @param {number} channel @param {Buffer} payload */
const frame = (type, channel, payload) => {
  const head = Buffer.alloc(7);
  head[0] = type;
  head.writeUInt16BE(channel, 1);
  head.writeUInt32BE(payload.length, 3);
  return Buffer.concat([head, payload, Buffer.from([0xce])]);
};
/** @param {number} channel @param {Dice} dice */
const content = (channel, dice) => {
  const body = dice.bytes(dice.below(200));
  const header = Buffer.alloc(14);
  header.writeUInt16BE(dice.chance(0.95) ? 60 : dice.below(100), 0);
  header.writeBigUInt64BE(BigInt(dice.chance(0.9) ? body.length : dice.below(100_000)), 4);
  const flags = dice.chance(0.5) ? 0 : dice.below(0x10000);
  header.writeUInt16BE(flags, 12);
  return [
    frame(2, channel, Buffer.concat([header, dice.bytes(flags === 0 ? 0 : 30)])),
    frame(3, channel, body),
  ];
};

/** What strangers say: the handshake, and frames with any method and any content. */
export async function generator() {
  const { METHODS } = await wire('methods.js');
  const { encodeMethod } = await wire('method-codec.js');
  const { encodeTable } = await wire('field-table.js');
  const names = Object.keys(METHODS);
  const frequent = names.filter((name) => /^(basic|queue|exchange|tx|confirm)\./.test(name));

  /** @param {number} channel @param {string} name @param {object} args */
  const method = (channel, name, args) => frame(1, channel, encodeMethod(name, args));

  /** @type {MakeTable} */
  const table = (dice) => encodeTable(new Map(Array.from({ length: dice.below(4) }, () => field(dice))));
  /** @param {number} channel @param {string} name @param {Dice} dice */
  const anyMethod = (channel, name, dice) => {
    const [, , fields] = METHODS[name];
    const args = Object.fromEntries(
      Object.entries(fields).map(([key, type]) => [key, value(key, type, dice, table)]),
    );
    return method(channel, name, args);
  };
  const opening = (/** @type {Dice} */ dice) => handshake(method, table, dice);
  /** @param {Dice} dice */
  const frames = (dice) =>
    Array.from({ length: dice.below(30) }, () => {
      const channel = dice.chance(0.9) ? 1 : dice.below(4);
      if (dice.chance(0.04)) return [frame(dice.below(10), dice.below(300), dice.bytes(dice.below(50)))];
      if (dice.chance(0.3)) return [anyMethod(channel, 'basic.publish', dice), ...content(channel, dice)];
      const name = dice.pick(dice.chance(0.85) ? frequent : names);
      return [anyMethod(channel, name, dice)];
    }).flat();
  return { opening, frames };
}

/**
 * The handshake, sent in one go, as the broker allows; now and then as another user.
 *
 * @param {(channel: number, name: string, args: object) => Buffer} method
 * @param {MakeTable} table
 * @param {Dice} dice
 */
function handshake(method, table, dice) {
  const user = dice.chance(0.95) ? 'fuzz' : dice.name();
  return Buffer.concat([
    Buffer.from('AMQP\0\0\x09\x01', 'latin1'),
    method(0, 'connection.start-ok', {
      properties: table(dice),
      mechanism: 'PLAIN',
      response: Buffer.from(`\0${user}\0${PASSWORD}`),
      locale: 'en_US',
    }),
    method(0, 'connection.tune-ok', {
      channelMax: 100,
      frameMax: dice.chance(0.9) ? 131_072 : 8192,
      heartbeat: 0,
    }),
    method(0, 'connection.open', { vhost: 'fuzz', capabilities: '', insist: false }),
    method(1, 'channel.open', { outOfBand: '' }),
  ]);
}

const KEYS = [
  'x-max-length',
  'x-message-ttl',
  'x-queue-type',
  'x-dead-letter-exchange',
  'x-max-priority',
  'x-expires',
];
const VALUES = ['quorum', 'stream', 'classic', 'drop-head', 'reject-publish', '', 'amq.topic', 'x'];
const MORE_KEYS = [
  'x-overflow',
  'x-match',
  'x-delayed-type',
  'x-stream-offset',
  'x-single-active-consumer',
  'CC',
  'BCC',
];
const TYPES = [
  'direct',
  'topic',
  'fanout',
  'headers',
  'x-consistent-hash',
  'x-delayed-message',
  'x-random',
  'what',
];

/** @returns {[string, unknown]} @param {Dice} dice */
function field(dice) {
  const name = dice.pick(dice.chance(0.6) ? KEYS : dice.chance(0.8) ? MORE_KEYS : [dice.name()]);
  if (dice.chance(0.5)) return [name, { type: 'long', value: dice.chance(0.8) ? dice.below(1000) : -1 }];
  return [name, { type: 'longstr', value: dice.pick(VALUES) }];
}

/** @param {string} key @param {string} type @param {Dice} dice @param {MakeTable} table */
function value(key, type, dice, table) {
  switch (type) {
    case 'bit':
      return dice.chance(key === 'passive' || key === 'immediate' ? 0.05 : 0.4);
    case 'octet':
      return dice.below(256);
    case 'short':
      return dice.below(dice.chance(0.9) ? 20 : 0x10000);
    case 'long':
      return dice.chance(0.9) ? 0 : dice.below(0x7fffffff);
    case 'longlong':
      return dice.below(20);
    case 'shortstr':
      return key === 'type' ? dice.pick(TYPES) : dice.name();
    case 'table':
      return table(dice);
    default:
      return dice.bytes(dice.below(40));
  }
}

/** @param {Buffer} bytes @param {Dice} dice */
export function mutated(bytes, dice) {
  const copy = Buffer.from(bytes);
  // Sparing what comes first lets most of them get as far as an open channel.
  const from = dice.chance(0.8) ? Math.min(150, copy.length) : 0;
  for (let n = dice.below(6); n >= 0 && copy.length > from; n -= 1) {
    const at = from + dice.below(copy.length - from);
    copy[at] = dice.chance(0.5) ? copy[at] ^ (1 << dice.below(8)) : dice.below(256);
  }
  if (dice.chance(0.2)) return copy.subarray(0, dice.below(copy.length + 1));
  if (dice.chance(0.1)) return Buffer.concat([copy, copy.subarray(from)]);
  return copy;
}
