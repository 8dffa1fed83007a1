// What a consumer may find in its queue, and what the systems make of it. A clear outcome is: the handler got what
// was meant, or the message is where a person finds it.
import { gzipSync } from 'node:zlib';
import { OUTCOME, PATIENCE } from './arena.mjs';

/** @typedef {import('./arena.mjs').Arena} Arena */

/**
 * A message: `body(arena)` makes the bytes, JSON unless `properties` say otherwise. `garbled`: who reads it reads it wrong.
 *
 * @typedef {object} Delivery
 * @property {string} name
 * @property {(arena: Arena) => string | Buffer} body
 * @property {boolean} [garbled]
 * @property {import('amqplib').Options.Publish} [properties]
 */

/**
 * What was seen of one: `loop` in KiB/s, `told` whether the process said anything to a person.
 *
 * @typedef {object} Seen
 * @property {boolean} handled
 * @property {boolean} dead
 * @property {boolean} crashed
 * @property {number} loop
 * @property {boolean} told
 */

const json = 'application/json';

/** @type {Delivery[]} */
export const deliveries = [
  { name: 'malformed JSON', body: () => '{"id": 1,' },
  { name: 'empty body', body: () => '' },
  { name: 'random bytes', body: () => Buffer.from('f7ff00fe80c1c0ff', 'hex') },
  { name: 'JSON that is not UTF-8', body: () => Buffer.from([0x22, 0xff, 0x22]), garbled: true },
  { name: 'text', body: () => 'hello', properties: { contentType: 'text/plain' } },
  {
    name: 'unknown content type',
    body: () => '<a/>',
    properties: { contentType: 'application/x-unheard-of' },
  },
  {
    name: 'gzip, and it is',
    body: (arena) => gzipSync(arena.framed({ n: 0 })),
    properties: { contentEncoding: 'gzip' },
  },
  {
    name: 'gzip, and it is not',
    body: (arena) => arena.framed({ n: 0 }),
    properties: { contentEncoding: 'gzip' },
  },
  { name: 'malformed JSON of 5 MiB', body: () => `{"id": "${'x'.repeat(5 * 2 ** 20)}` },
  { name: 'handler throws', body: (arena) => arena.framed({ n: 0, please: 'throw' }) },
];

/**
 * Sends one to a consumer.
 *
 * @param {Arena} arena
 * @param {Delivery} input
 * @returns {Promise<import('./arena.mjs').Judgement>}
 */
export async function delivery(arena, { body, garbled, properties }) {
  arena.child.forget();
  await arena.empty('numbered.dead');
  await arena.send(body(arena), { contentType: json, deliveryMode: 2, ...properties });
  const handled = () => arena.child.events.some(({ event }) => event === 'handled');
  const dead = async () => (await arena.count('numbered.dead')) > 0;
  // A handler that throws has been called as well: the dead letter may still be on its way.
  await arena.until(async () => arena.child.ended || (await dead()), handled() ? OUTCOME / 2 : OUTCOME);
  const loop = arena.child.ended ? 0 : await arena.loop();
  const crashed = arena.child.ended;
  const told = arena.child.told;
  const found = { handled: handled(), dead: await dead() };
  const good = !crashed && (await nextIsHandled(arena));
  return {
    ...(await verdict(arena, { ...found, crashed, loop, told }, garbled)),
    ...(good || crashed ? {} : { hung: true }),
  };
}

/** @param {Arena} arena */
async function nextIsHandled(arena) {
  const n = 1_000 + arena.number;
  await arena.send(arena.framed({ n }), { contentType: json, deliveryMode: 2 });
  return (
    (await arena.child.wait((event) => event.event === 'handled' && event.n === n, PATIENCE)) !== undefined
  );
}

/** @param {Arena} arena @param {Seen} seen @param {boolean} [garbled] */
async function verdict(arena, { handled, dead, crashed, loop, told }, garbled) {
  if (crashed) return { outcome: 'crashed', clear: false };
  if (loop > 0) return { outcome: `looped, ${loop} KiB/s`, clear: false };
  if (dead) return { outcome: 'dead-lettered', clear: true };
  if (handled && garbled) return { outcome: 'handled, with a text that nobody sent', clear: false };
  if (handled) return { outcome: 'handled', clear: true };
  // It may sit unacked in the process, which only the end of the process shows.
  await arena.child.kill();
  const held = await arena.until(async () => (await arena.count('numbered')) > 0);
  if (held) return { outcome: 'held until the process ends', clear: false };
  return told
    ? { outcome: 'dropped, with a line in the log', clear: true }
    : { outcome: 'dropped without a word', clear: false };
}
