// Measurements of publishing, consuming and calls: each prepares the queues, runs the processes, and checks that the work was
// really done. Rejects when it was not.

/**
 * @typedef {import('./cases.mjs').Case} Case
 * @typedef {import('./packages.mjs').Player} Player
 * @typedef {import('./stand.mjs').Stand} Stand
 * @typedef {typeof import('./cases.mjs').sizes['full'] | typeof import('./cases.mjs').sizes['quick']} Sizes
 * @typedef {import('./process.mjs').Contender} Contender
 * @typedef {(job: { work: string, [setting: string]: unknown }) => Contender} Start
 */

/**
 * What a measurement works with; queues and exchanges in `used` are removed after it.
 *
 * @typedef {object} Parts
 * @property {Stand} stand
 * @property {Sizes} sizes
 * @property {Case} one
 * @property {Player} contender
 * @property {string} queue
 * @property {{ queues: string[], exchanges: string[] }} used
 * @property {Start} start
 */

/** No process may let one wait longer for its next word, in milliseconds. */
export const LIMIT = 60_000;
const AT_ONCE = 64;
const PREFETCH = 1000;
/** A quorum queue takes back what was acked just before its channel closed. In milliseconds, after the window. */
const LINGERS = 500;
/** Messages of so many bytes are counted in bytes. */
const LARGE = 32 * 1024;

/** What each contender declares the queue with, if that is more than its name. @param {Case} one */
const argumentsOf = ({ queueType }) => (queueType ? { queueArguments: { 'x-queue-type': queueType } } : {});

/** @param {Parts} parts */
export async function publish({ stand, sizes, one, contender, queue, start }) {
  const { atOnce, persistent, size, lists, queueType } = one;
  await stand.declare(queue, queueType);
  const spans = size < LARGE ? sizes.publish : inBytes(sizes, size);
  const job = { work: 'publish', atOnce, persistent, lists, ...argumentsOf(one), ...spans };
  const result = await ended(start(job));
  await stand.expect(queue, result.sent);
  await stand.checkOldest(queue, { size, persistent, wrap: contender.wrap });
  return result;
}

/** As many messages of that size as their bytes allow. @param {Sizes} sizes @param {number} size */
function inBytes({ publish: { warmUp, window }, large }, size) {
  return {
    warmUp: { ...warmUp, count: Math.ceil(large.warmUp / size) },
    window: { ...window, count: Math.ceil(large.window / size) },
  };
}

/**
 * A process that handles so many and ends: its start is part of what they cost, and hardly any of its code is compiled.
 *
 * @param {Parts} parts
 */
export async function short({ stand, sizes, one, contender, queue, start }) {
  const { size, prefetch } = one;
  const count = sizes.short;
  await stand.declare(queue);
  await stand.fill({ queues: [queue], count, size, wrap: contender.wrap });
  const result = await ended(start({ work: 'short', count, prefetch }));
  if (result.seen !== count) throw new Error(`${result.seen} messages handled, not ${count}`);
  await stand.expect(queue, 0);
  return result;
}

/** @param {Parts} parts */
export function consume(parts) {
  const { sizes, one, queue } = parts;
  const { prefetch, enhanced, delays, queueType } = one;
  const lingers = queueType === 'quorum' ? LINGERS : undefined;
  const consumers = [{ queue, prefetch, enhanced, ...argumentsOf(one) }];
  return consumed(parts, { ...sizesOf(sizes, one), consumers, delays, lingers });
}

/** @param {Sizes} sizes @param {Case} one */
function sizesOf(sizes, { size, queueType, enhanced, delays }) {
  if (size > 1000) return sizes.consumeLarge;
  if (enhanced) return sizes.enhanced;
  if (delays) return sizes.burst;
  return queueType === 'quorum' ? sizes.quorum : sizes.consume;
}

/**
 * Many handlers, each with its queue; messages come to one of them.
 *
 * @param {Parts} parts
 */
export function handlers(parts) {
  const { sizes, one, queue, used } = parts;
  const others = Array.from({ length: one.count - 1 }, (_, index) => `${queue}.${index}`);
  used.queues.push(...others, ...others.map((name) => `${name}.dead`));
  const consumers = [queue, ...others].map((name) => ({ queue: name, prefetch: 100 }));
  return consumed(parts, { ...sizes.consume, consumers });
}

/**
 * Many handlers on one queue; the library finds the one that a message is for.
 *
 * @param {Parts} parts
 */
export async function shared(parts) {
  const { stand, sizes, one, queue, used } = parts;
  const exchange = `${queue}.topic`;
  const keys = Array.from({ length: one.count }, (_, index) => `kind.${index}`);
  used.exchanges.push(exchange);
  await stand.declare(queue);
  await stand.bind(queue, exchange, keys);
  const consumers = keys.map((key) => ({ queue, prefetch: 100, route: { exchange, key } }));
  return consumed(parts, { ...sizes.consume, consumers, exchange, keys });
}

/**
 * With `spread` messages come to all handlers in turn.
 *
 * @param {Pick<Parts, 'stand' | 'one' | 'contender' | 'queue' | 'start'>} parts
 * @param {{ consumers: { queue: string, prefetch: number, enhanced?: readonly string[] }[], count: number, warmUp: number,
 *   exchange?: string, keys?: string[], spread?: boolean, delays?: boolean, lingers?: number }} job
 */
export async function consumed(
  { stand, one, contender, queue, start },
  { consumers, count, warmUp, exchange, keys, spread, delays, lingers },
) {
  const child = start({ work: 'consume', consumers, count, warmUp, spread, delays, lingers });
  const queues = spread ? consumers.map((each) => each.queue) : [queue];
  for (const name of queues) await stand.declare(name, one.queueType);
  const filled = { queues, exchange, keys: spread ? queues : keys };
  await stand.fill({ ...filled, count, size: one.size, wrap: contender.wrap });
  await child.hear('loaded', LIMIT);
  child.tell('go');
  const result = await ended(child);
  if (result.seen !== count) throw new Error(`${result.seen} messages handled, not ${count}`);
  for (const name of queues) await stand.expect(name, 0);
  return result;
}

/** @param {Parts} parts */
export async function call({ stand, sizes, one, queue, start }) {
  const job = { work: 'call', atOnce: one.atOnce, ...sizes.call };
  if (!one.here) return called(stand, queue, start, job);
  const client = start({ ...job, here: { prefetch: PREFETCH } });
  await client.hear('window', LIMIT);
  client.tell('go');
  const result = await ended(client);
  await stand.expect(queue, 0);
  return result;
}

/**
 * Calls that are answered, beside many that are not.
 *
 * @param {Parts} parts
 */
export async function pending({ stand, sizes, one, queue, used, start }) {
  const silent = `${queue}.silent`;
  used.queues.push(silent);
  await stand.declare(silent);
  const job = { work: 'call', atOnce: AT_ONCE, ...sizes.call, silent, pending: one.count };
  return called(stand, queue, start, job, () => stand.expect(silent, one.count));
}

/**
 * Caller and server are two processes, and what a call costs is what it costs both of them.
 *
 * @param {Stand} stand
 * @param {string} queue
 * @param {Start} start
 * @param {Parameters<Start>[0]} job
 * @param {() => Promise<void>} [opened]
 */
export async function called(stand, queue, start, job, opened) {
  const server = start({ work: 'serve', prefetch: PREFETCH, items: job.items });
  await server.hear('ready', LIMIT);
  const spent = async () => {
    server.tell('cpu');
    return server.hear('cpu', LIMIT);
  };
  const client = start(job);
  if (opened) {
    await client.hear('pending', LIMIT);
    await opened();
    client.tell('go');
  }
  await client.hear('window', LIMIT);
  const before = await spent();
  client.tell('go');
  // Before the client closes, which may take the server time.
  await client.hear('measured', LIMIT);
  const after = await spent();
  client.tell('go');
  const result = await ended(client);
  if (after.handled !== result.sent) throw new Error(`${after.handled} calls handled, not ${result.sent}`);
  server.tell('end');
  await ended(server);
  await stand.expect(queue, 0);
  const servers = (after.cpu - before.cpu) / result.count;
  return { ...result, cpu: result.cpu + servers, client: result.cpu, server: servers };
}

/** @param {Parts} parts */
export async function startUp({ stand, queue, used, start }) {
  const other = `${queue}.other`;
  used.queues.push(other);
  await stand.declare(other);
  return ended(start({ work: 'start', other }));
}

/** @param {Parts} parts */
export async function through({ stand, sizes, queue, start }) {
  await stand.declare(queue);
  const result = await ended(start({ work: 'through', count: sizes.through, atOnce: 100 }));
  if (result.seen !== sizes.through) throw new Error(`${result.seen} messages handled, not ${sizes.through}`);
  await stand.expect(queue, 0);
  return result;
}

/** @param {Contender} child */
export async function ended(child) {
  const { result } = await child.hear('done', LIMIT);
  if (result.problem ?? result.late) throw new Error(result.problem ?? result.late);
  await child.over;
  return result;
}
