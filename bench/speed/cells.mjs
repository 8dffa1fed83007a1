// One measurement of one contender in one case: prepares the queues, runs the processes, and checks that the work was
// really done. Rejects when it was not, and then the cell of the table is an error.
import { Contender } from './process.mjs';

/** No process may let one wait longer for its next word, in milliseconds. */
const LIMIT = 60_000;
/** Of calls; the ones that nobody answers outlast the measurement. */
const DEADLINE = 120_000;
const AT_ONCE = 64;
const PREFETCH = 1000;

/** Measures; `sizes` are those of cases.mjs. Resolves with what the contender's process found. */
export async function measure(stand, sizes, one, contender) {
  const queue = stand.name();
  const used = { queues: [queue, `${queue}.dead`], exchanges: [] };
  const children = [];
  const start = (job) => {
    const { key } = contender;
    const child = new Contender({
      contender: key,
      url: stand.url,
      queue,
      size: one.size,
      deadline: DEADLINE,
      ...job,
    });
    children.push(child);
    return child;
  };
  try {
    return await cells[one.run]({ stand, sizes, one, contender, queue, used, start });
  } finally {
    await Promise.all(children.map((child) => child.kill()));
    await stand.remove(used.queues, used.exchanges);
  }
}

const cells = { publish, consume, call, start: startUp, through, handlers, shared, pending };

async function publish({ stand, sizes, one, contender, queue, start }) {
  const { atOnce, persistent, size } = one;
  await stand.declare(queue);
  const result = await ended(start({ work: 'publish', atOnce, persistent, ...sizes.publish }));
  await stand.expect(queue, result.sent);
  await stand.checkOldest(queue, { size, persistent, wrap: contender.wrap });
  return result;
}

function consume(parts) {
  const { sizes, one, queue } = parts;
  const { count, warmUp } = one.size > 1000 ? sizes.consumeLarge : sizes.consume;
  return consumed(parts, { count, warmUp, consumers: [{ queue, prefetch: one.prefetch }] });
}

/** Many handlers, each with its queue; messages come to one of them. */
function handlers(parts) {
  const { sizes, one, queue, used } = parts;
  const others = Array.from({ length: one.count - 1 }, (_, index) => `${queue}.${index}`);
  used.queues.push(...others, ...others.map((name) => `${name}.dead`));
  const consumers = [queue, ...others].map((name) => ({ queue: name, prefetch: 100 }));
  return consumed(parts, { ...sizes.consume, consumers });
}

/** Many handlers on one queue; the library finds the one that a message is for. */
async function shared(parts) {
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
 * @param {any} parts
 * @param {{ consumers: { queue: string, prefetch: number }[], count: number, warmUp: number, exchange?: string, keys?: string[] }} job
 */
async function consumed(
  { stand, one, contender, queue, start },
  { consumers, count, warmUp, exchange, keys },
) {
  const child = start({ work: 'consume', consumers, count, warmUp });
  await stand.declare(queue);
  await stand.fill({ queue, exchange, keys, count, size: one.size, wrap: contender.wrap });
  await child.hear('loaded', LIMIT);
  child.tell('go');
  const result = await ended(child);
  if (result.seen !== count) throw new Error(`${result.seen} messages handled, not ${count}`);
  await stand.expect(queue, 0);
  return result;
}

async function call({ stand, sizes, one, queue, start }) {
  const job = { work: 'call', atOnce: one.atOnce, ...sizes.call };
  if (!one.here) return called(stand, queue, start, job);
  const client = start({ ...job, here: { prefetch: PREFETCH } });
  await client.hear('window', LIMIT);
  client.tell('go');
  const result = await ended(client);
  await stand.expect(queue, 0);
  return result;
}

/** Calls that are answered, beside many that are not. */
async function pending({ stand, sizes, one, queue, used, start }) {
  const silent = `${queue}.silent`;
  used.queues.push(silent);
  await stand.declare(silent);
  const job = { work: 'call', atOnce: AT_ONCE, ...sizes.call, silent, pending: one.count };
  return called(stand, queue, start, job, () => stand.expect(silent, one.count));
}

/** Caller and server are two processes, and what a call costs is what it costs both of them. */
async function called(stand, queue, start, job, opened) {
  const server = start({ work: 'serve', prefetch: PREFETCH });
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
  const result = await ended(client);
  const after = await spent();
  if (after.handled !== result.sent) throw new Error(`${after.handled} calls handled, not ${result.sent}`);
  server.tell('end');
  await ended(server);
  await stand.expect(queue, 0);
  const servers = (after.cpu - before.cpu) / result.count;
  return { ...result, cpu: result.cpu + servers, client: result.cpu, server: servers };
}

async function startUp({ stand, queue, used, start }) {
  const other = `${queue}.other`;
  used.queues.push(other);
  await stand.declare(other);
  return ended(start({ work: 'start', other }));
}

async function through({ stand, sizes, queue, start }) {
  await stand.declare(queue);
  const result = await ended(start({ work: 'through', count: sizes.through, atOnce: 100 }));
  if (result.seen !== sizes.through) throw new Error(`${result.seen} messages handled, not ${sizes.through}`);
  await stand.expect(queue, 0);
  return result;
}

async function ended(child) {
  const { result } = await child.hear('done', LIMIT);
  if (result.problem) throw new Error(result.problem);
  await child.over;
  return result;
}
