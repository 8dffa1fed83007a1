// Works of a contender's process that handle messages in other ways than one after the other at once: handlers that fail,
// batches, and messages in the order of their keys. Loaded by child.mjs.
import { Numbered } from './bodies.mjs';
import { ask, finish, job, mark, open, report, since } from './work.mjs';

/** @typedef {import('./work.mjs').Body} Body */

/**
 * Counts handled messages; the window opens when the first `warmUp` are through, and `all` resolves to what it measured.
 */
function counting() {
  const { count, warmUp, size } = job;
  const numbered = new Numbered(count, size);
  let begun = mark();
  /** @type {(result: object) => void} */
  let resolve;
  const all = new Promise((/** @type {(result: object) => void} */ settled) => (resolve = settled));
  return {
    all,
    numbered,
    /** @param {Body} body */
    take(body) {
      numbered.take(body);
      if (numbered.seen === warmUp) begun = mark();
      else if (numbered.seen === count) resolve(since(begun, count - warmUp));
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
  const { count, fails } = job;
  const counted = counting();
  const tried = new Uint8Array(count);
  let attempts = 0;
  const handle = (/** @type {Body} */ body) => {
    attempts++;
    if (fails === 'dead') counted.take(body);
    else if (tried[body.n] !== 0) return counted.take(body);
    tried[body.n] = 1;
    throw new Error('the shop is closed');
  };
  const expected = fails === 'dead' ? count : 2 * count;
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
    for (const body of bodies) counted.take(body);
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
    counted.take(body);
  };
  return handled(
    { ordered: true, handle },
    counted,
    () => problem ?? (most > 1 ? undefined : 'one at a time'),
  );
}
