// Works of a contender's process that handle messages in other ways than one after the other at once: handlers that fail,
// batches, and messages in the order of their keys. Loaded by child.mjs.
import { Numbered } from './bodies.mjs';
import { ask, finish, job, mark, open, report, since } from './work.mjs';

/** @typedef {import('./work.mjs').Body} Body */

/**
 * Counts handled messages, and attempts at them: the window opens with attempt `warmUp` and ends with attempt `last`. `all`
 * resolves to what it measured when all messages are handled.
 *
 * @param {number} [last]
 */
function counting(last = job.count) {
  const { count, warmUp, size } = job;
  const numbered = new Numbered(count, size);
  let attempts = 0;
  let begun = mark();
  /** @type {object} */
  let result = {};
  /** @type {(result: object) => void} */
  let resolve;
  const all = new Promise((/** @type {(result: object) => void} */ settled) => (resolve = settled));
  return {
    all,
    numbered,
    attempt() {
      if (++attempts === warmUp) begun = mark();
      else if (attempts === last) result = since(begun, count - warmUp);
      return attempts;
    },
    /** @param {Body} body */
    take(body) {
      numbered.take(body);
      if (numbered.seen === count) resolve(result);
    },
  };
}

/**
 * Opens a consumer while the queue is filled, and ends when `all` were handled.
 *
 * @param {object} consumer
 * @param {ReturnType<typeof counting>} counted
 * @param {() => string | undefined} problem
 */
async function handled(consumer, { all, numbered }, problem) {
  const { url, queue, prefetch, queueArguments } = job;
  await ask('loaded');
  const opened = open({ url, consume: [{ queue, prefetch, queueArguments, ...consumer }] });
  // Not awaited: messages may all be handled before it is known that the consumer is open.
  opened.catch(report);
  const result = await all;
  await finish(await opened, { ...result, seen: numbered.seen, problem: problem() ?? numbered.problem });
}

/** Its handler fails at each message (`dead`), or at the first attempt of each (`retry`). */
export function failing() {
  const { count, warmUp, fails } = job;
  const expected = fails === 'dead' ? count : 2 * count;
  // What is retried comes behind all that waits, so the first half of the attempts fails. The window has as many of these.
  const counted = counting(fails === 'dead' ? count : expected - warmUp);
  const tried = new Uint8Array(count);
  let attempts = 0;
  const handle = (/** @type {Body} */ body) => {
    attempts = counted.attempt();
    if (fails === 'dead') counted.take(body);
    else if (tried[body.n] !== 0) return counted.take(body);
    tried[body.n] = 1;
    throw new Error('the shop is closed');
  };
  return handled({ fails, handle }, counted, () =>
    attempts === expected ? undefined : `${attempts} attempts, not ${expected}`,
  );
}

/** Its handler gets batches. */
export function batches() {
  const { count, batch } = job;
  const counted = counting();
  let calls = 0;
  let largest = 0;
  const handle = (/** @type {readonly Body[]} */ bodies) => {
    calls++;
    largest = Math.max(largest, bodies.length);
    for (const body of bodies) {
      counted.attempt();
      counted.take(body);
    }
  };
  return handled({ batch, handle }, counted, () => {
    if (largest > batch.size) return `a batch of ${largest}`;
    return calls > count / 10 ? `${calls} calls for ${count} messages` : undefined;
  });
}

/** Its handler takes a moment, and messages with the same key must not meet in it, nor overtake each other. */
export function ordered() {
  const { keys } = job;
  const counted = counting();
  const running = new Uint8Array(keys);
  const last = new Int32Array(keys).fill(-1);
  /** @type {string | undefined} */
  let problem;
  let atOnce = 0;
  let most = 0;
  const handle = async (/** @type {Body} */ body) => {
    const key = body.n % keys;
    if (running[key] !== 0) problem ??= `message ${body.n} met another one of its key`;
    if (body.n < last[key]) problem ??= `message ${body.n} came after ${last[key]}`;
    running[key] = 1;
    last[key] = body.n;
    most = Math.max(most, ++atOnce);
    await undefined;
    running[key] = 0;
    atOnce--;
    counted.attempt();
    counted.take(body);
  };
  return handled(
    { ordered: true, handle },
    counted,
    () => problem ?? (most > 1 ? undefined : 'one at a time'),
  );
}
