// The dice of tools/fuzz.mjs: what a session sends depends on the seed and its number alone.

/** @typedef {ReturnType<typeof random>} Dice */

/**
 * Random numbers of one session, from the seed (mulberry32).
 *
 * @param {number} seed
 * @param {number} number
 */
export function random(seed, number) {
  let state = (Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b)) >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
  /** @param {number} limit */
  const below = (limit) => Math.floor(next() * limit);
  const dice = {
    below,
    chance: (/** @type {number} */ part) => next() < part,
    /** @template T @param {readonly T[]} list */
    pick: (list) => list[below(list.length)],
    bytes: (/** @type {number} */ size) => Buffer.from(Array.from({ length: size }, () => below(256))),
    name: () =>
      dice.pick(['', 'a', 'b', 'c', 'amq.topic', 'amq.direct', 'amq.fanout', 'a.b', '#', `n${below(50)}`]),
  };
  return dice;
}
