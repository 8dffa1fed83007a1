// One process of one contender: `fork(child.mjs, [job as JSON])`. It opens the contender, warms up, measures its own
// CPU time over a window, and tells the parent over the IPC channel. It ends when the parent is gone.
import { once } from 'node:events';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';

const job = JSON.parse(process.argv[2]);
process.once('disconnect', () => process.exit(1));
const { bodies, Numbered } = await import('./bodies.mjs');
const { open } = await import(`./contenders/${job.contender}.mjs`);
const { url, size, queue, deadline } = job;
const make = size && bodies(size);
/** A message that came to the wrong one of several handlers. */
let misrouted;
/** Under way at least while it warms up: code that is slow because of waits is compiled as well. */
const WARM = 64;

const works = { publish, consume, call, serve, start, through };
works[job.work]().catch(report);

/** Publishes with `atOnce` unconfirmed. */
async function publish() {
  const { persistent, atOnce, warmUp, window } = job;
  const client = await open({ url, publish: { queue, persistent } });
  const act = (body, done) => client.publish(body, done);
  const first = await warmedUp(act, atOnce, warmUp);
  const begun = mark();
  const last = await flow({ act, atOnce, first, ...window });
  await finish(client, { ...since(begun, last - first), sent: last });
}

/** Handles what waits in the queues; the window opens when the first messages are through. */
async function consume() {
  const { consumers, count, warmUp } = job;
  // The queue is filled while this process loads.
  await ask('loaded');
  const numbered = new Numbered(count, size);
  let begun;
  let result;
  const all = new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
    const take = (body) => {
      numbered.take(body);
      if (numbered.seen === warmUp) begun = mark();
      else if (numbered.seen === count) {
        result = since(begun, count - warmUp);
        resolve();
      }
    };
    const handlers = consumers.map((consumer, index) => ({
      ...consumer,
      handle: consumer.route === undefined ? take : (body) => at(index, body, take),
    }));
    open({ url, consume: handlers }).then(async (client) => {
      await all;
      await finish(client, { ...result, seen: numbered.seen, problem: misrouted ?? numbered.problem });
    }, report);
  });
  await all;
}

/** Which of several handlers on one queue a message must come to is in its number. */
function at(index, body, take) {
  if (body.n % job.consumers.length !== index) misrouted ??= `message ${body.n} came to handler ${index}`;
  take(body);
}

/** Calls with `atOnce` unanswered, beside `pending` calls that nobody answers. The server is here or elsewhere. */
async function call() {
  const { atOnce, warmUp, window, here, silent, pending = 0 } = job;
  let problem;
  const server = here && { ...here, queue, answer: (body) => body };
  const client = await open({ url, serve: server, call: { queue }, deadline });
  const beside = (error) => (problem ??= `a call that nobody answers came back: ${error?.message}`);
  for (let n = 0; n < pending; n++) client.call(make(n), beside, silent);
  if (pending > 0) await ask('pending');
  const times = [];
  const act = (body, done) => {
    const sent = atOnce === 1 ? performance.now() : 0;
    client.call(body, (error, reply) => {
      if (sent > 0) times.push(performance.now() - sent);
      if (!error && (reply.n !== body.n || reply.note !== body.note))
        problem ??= `call ${body.n}: wrong reply`;
      done(error);
    });
  };
  const first = await warmedUp(act, atOnce, warmUp);
  await ask('window');
  times.length = 0;
  const begun = mark();
  const last = await flow({ act, atOnce, first, ...window });
  const p50 = atOnce === 1 ? { p50: times.sort((a, b) => a - b)[times.length >> 1] } : {};
  const result = { ...since(begun, last - first), ...p50, sent: last, problem };
  // Calls that nobody answers would hold up the end.
  await finish(pending > 0 ? { close: () => {} } : client, result);
}

/** Answers what it is asked with the same; tells its CPU time when the parent wants to know. */
async function serve() {
  let handled = 0;
  const answer = (body) => {
    handled++;
    return body;
  };
  const client = await open({ url, serve: { queue, prefetch: job.prefetch, answer } });
  process.on('message', (what) => {
    if (what === 'cpu') process.send?.({ kind: 'cpu', cpu: cpu(), handled });
    else void finish(client, {});
  });
  process.send?.({ kind: 'ready' });
}

/** How long it took until this process could handle and publish, from its first instruction on. */
async function start() {
  const take = { queue, prefetch: 100, handle: () => {} };
  const client = await open({ url, consume: [take], publish: { queue: job.other, persistent: false } });
  await finish(client, { ms: performance.now() });
}

/** Publishes and handles in one process, and says what memory that took. */
async function through() {
  const { count, atOnce } = job;
  const numbered = new Numbered(count, size);
  let client;
  await new Promise((/** @type {(value?: unknown) => void} */ resolve, reject) => {
    const handle = (body) => {
      numbered.take(body);
      if (numbered.seen === count) resolve();
    };
    open({ url, consume: [{ queue, prefetch: 100, handle }], publish: { queue, persistent: false } })
      .then((opened) => {
        client = opened;
        const act = (body, done) => client.publish(body, done);
        return flow({ act, atOnce, first: 0, count });
      })
      .catch(reject);
  });
  const rss = process.memoryUsage.rss();
  const { user, system } = process.cpuUsage();
  await finish(client, { rss, cpu: (user + system) / count, seen: numbered.seen, problem: numbered.problem });
}

/** Warms up, at last in the very way of the window: how a socket acknowledges depends on what it has just seen. */
async function warmedUp(act, atOnce, warmUp) {
  const first = await flow({ act, atOnce: Math.max(atOnce, WARM), first: 0, ...warmUp });
  return atOnce < WARM ? flow({ act, atOnce, first, count: 500, ms: 500 }) : first;
}

/**
 * Keeps `atOnce` under way until `count` have begun, or `cpu` milliseconds of CPU time were spent, or `ms` are over;
 * resolves with the next number when all are in.
 */
function flow({ act, atOnce, first, count, cpu: budget = Infinity, ms = Infinity }) {
  const end = first + count;
  const until = performance.now() + ms;
  const spent = cpu() + budget * 1000;
  let next = first;
  let settled = first;
  let over = false;
  return new Promise((/** @type {(next: number) => void} */ resolve, reject) => {
    const one = (error) => {
      if (error) return reject(error);
      settled++;
      // The CPU time is not asked for each message, since that takes a part of it.
      over ||= next >= end || performance.now() > until || ((settled & 63) === 0 && cpu() > spent);
      if (!over) act(make(next++), one);
      else if (settled === next) resolve(next);
    };
    for (let n = Math.min(atOnce, count); n > 0; n--) act(make(next++), one);
  });
}

function cpu() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function mark() {
  return { cpu: cpu(), at: performance.now() };
}

function since(begun, count) {
  const now = mark();
  return {
    cpu: (now.cpu - begun.cpu) / count,
    rate: (count / (now.at - begun.at)) * 1000,
    count,
  };
}

/** Tells the parent and waits for its word. */
async function ask(kind) {
  const told = once(process, 'message');
  process.send?.({ kind });
  await told;
}

function report(error) {
  process.send?.({ kind: 'error', message: String(error?.stack ?? error) });
}

/** Ends properly, so that what was acked is acked, then says what was measured. */
async function finish(client, result) {
  const ended = Promise.resolve(client.close()).then(
    () => undefined,
    (error) => `close: ${error.message}`,
  );
  const late = await Promise.race([ended, pause(5_000, 'close() did not end within 5 s')]);
  process.send?.({ kind: 'done', result: late ? { ...result, late } : result }, () => process.exit(0));
}
