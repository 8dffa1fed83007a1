// Measurements at half of the maximum rate, of what waits, and of streams of replies; the other side of loads.mjs. See
// cells.mjs.
import { called, ended, LIMIT } from './cells.mjs';
import { openHold } from './hold.mjs';

/** @typedef {import('./cells.mjs').Parts} Parts */

const ITEMS = 1000;

/** @param {Parts} parts */
export async function half({ stand, sizes, one, queue, start }) {
  const job = { work: 'half', calls: one.calls, atOnce: one.atOnce, ...sizes.half };
  if (one.calls) return called(stand, queue, start, job);
  await stand.declare(queue);
  const result = await ended(start(job));
  await stand.expect(queue, result.sent);
  return result;
}

/** Publishes whose confirms are held back, or calls that nobody answers. @param {Parts} parts */
export async function held({ stand, sizes, one, queue, start }) {
  await stand.declare(queue);
  const way = await openHold(stand.url);
  try {
    const child = start({ work: 'held', url: way.url, calls: one.calls, ...sizes.held });
    await child.hear('hold', LIMIT);
    if (!one.calls) way.hold();
    child.tell('go');
    await child.hear('release', LIMIT);
    way.release();
    child.tell('go');
    const result = await ended(child);
    await stand.expect(queue, result.sent);
    return result;
  } finally {
    way.close();
  }
}

/** @param {Parts} parts */
export function items({ stand, sizes, queue, start }) {
  return called(stand, queue, start, { work: 'items', items: ITEMS, ...sizes.items });
}
