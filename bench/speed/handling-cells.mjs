// Measurements of handlers that fail, of batches, of messages in the order of their keys, and of ten handlers on one
// connection; the other side of handling.mjs. See cells.mjs.
import { consumed, ended, LIMIT } from './cells.mjs';

/** @typedef {import('./cells.mjs').Parts} Parts */

/** Milliseconds that a message waits for its second attempt. */
const RETRY_DELAY = 10;
const HANDLERS = 10;
const KEYS = 100;
const BATCH = { size: 100, wait: RETRY_DELAY };

/**
 * The handler fails. Who has no retries of its own nacks, and the broker dead-letters: to a queue, or to one that gives the
 * message back after its time.
 *
 * @param {Parts} parts
 */
export async function failing({ stand, sizes, one, contender, queue, used, start }) {
  const { fails, prefetch, size } = one;
  const { count, warmUp } = sizes.failing;
  const target = `${queue}.${fails === 'retry' ? 'wait' : 'dead'}`;
  const back = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': queue };
  const byBroker = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': target };
  const queueArguments = contender.retries ? undefined : byBroker;
  const child = start({ work: 'failing', fails, prefetch, count, warmUp, queueArguments });
  if (fails === 'retry' && !contender.retries) {
    used.queues.push(target);
    await stand.declare(target, 'classic', { ...back, 'x-message-ttl': RETRY_DELAY });
  } else if (!contender.retries) await stand.declare(target);
  await stand.declare(queue, 'classic', queueArguments);
  const result = await handled({ stand, contender, queue, count, size, child });
  if (fails === 'dead') await stand.expect(`${queue}.dead`, count);
  return result;
}

/** @param {Parts} parts */
export async function batches({ stand, sizes, one, contender, queue, start }) {
  const { prefetch, size } = one;
  const { count, warmUp } = sizes.batches;
  const child = start({ work: 'batches', batch: BATCH, prefetch, count, warmUp });
  await stand.declare(queue);
  return handled({ stand, contender, queue, count, size, child });
}

/** @param {Parts} parts */
export async function ordered({ stand, sizes, one, contender, queue, used, start }) {
  const { prefetch, size } = one;
  const { count, warmUp } = sizes.ordered;
  const exchange = `${queue}.topic`;
  const keys = Array.from({ length: KEYS }, (_, index) => `key.${index}`);
  used.exchanges.push(exchange);
  const child = start({ work: 'ordered', keys: KEYS, prefetch, count, warmUp });
  await stand.declare(queue);
  await stand.bind(queue, exchange, ['key.*']);
  return handled({ stand, contender, queue, exchange, keys, count, size, child });
}

/** @param {Parts} parts */
export function spread(parts) {
  const { sizes, one, queue, used } = parts;
  const others = Array.from({ length: HANDLERS - 1 }, (_, index) => `${queue}.${index}`);
  used.queues.push(...others, ...others.map((name) => `${name}.dead`));
  const consumers = [queue, ...others].map((name) => ({ queue: name, prefetch: one.prefetch }));
  return consumed(parts, { ...sizes.spread, consumers, spread: true });
}

/**
 * Fills the queue while the process loads, and lets it handle all of it.
 *
 * @param {Pick<Parts, 'stand' | 'contender' | 'queue'> & { exchange?: string, keys?: string[], count: number, size: number,
 *   child: import('./process.mjs').Contender }} work
 */
async function handled({ stand, contender, queue, exchange, keys, count, size, child }) {
  await stand.fill({ queues: [queue], exchange, keys, count, size, wrap: contender.wrap });
  await child.hear('loaded', LIMIT);
  child.tell('go');
  const result = await ended(child);
  if (result.seen !== count) throw new Error(`${result.seen} messages handled, not ${count}`);
  await stand.expect(queue, 0);
  return result;
}
