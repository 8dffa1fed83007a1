// One process of one contender: `fork(child.mjs, [job as JSON])`. It opens the contender, warms up, measures its own
// CPU time over a window, and tells the parent over the IPC channel. It ends when the parent is gone.
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { Numbered } from './bodies.mjs';
import { ask, cpu, finish, flow, job, make, mark, open, report, since, warmedUp } from './work.mjs';

/**
 * @typedef {import('./work.mjs').Body} Body
 * @typedef {import('./work.mjs').Done} Done
 * @typedef {import('./work.mjs').Act} Act
 */

const { url, size, queue, deadline } = job;
/**
 * A message that came to the wrong one of several handlers.
 *
 * @type {string | undefined}
 */
let misrouted;

// What few cases need is loaded by them alone, so that it takes no part in the start-up of others.
const handling = () => import('./handling.mjs');
const loads = () => import('./loads.mjs');
const works = {
  publish,
  consume,
  short,
  call,
  serve,
  start,
  through,
  failing: () => handling().then((module) => module.failing()),
  batches: () => handling().then((module) => module.batches()),
  ordered: () => handling().then((module) => module.ordered()),
  half: () => loads().then((module) => module.half()),
  held: () => loads().then((module) => module.held()),
  items: () => loads().then((module) => module.items()),
};
works[/** @type {keyof typeof works} */ (job.work)]().catch(report);

/** Publishes with `atOnce` unconfirmed. */
async function publish() {
  const { persistent, atOnce, lists, warmUp, window, queueArguments } = job;
  const client = await open({ url, publish: { queue, persistent, queueArguments } });
  /** @type {Act} */
  const act =
    lists && client.publishMany
      ? listed(client, atOnce)
      : (/** @type {Body} */ body, /** @type {Done} */ done) => client.publish(body, done);
  const first = await warmedUp(act, atOnce, warmUp);
  const begun = mark();
  const last = await flow({ act, atOnce, first, ...window });
  await finish(client, { ...since(begun, last - first), sent: last });
}

/**
 * Publishes lists of so many, and tells each message of it what became of it.
 *
 * @param {{ publishMany: (bodies: Body[], done: (error: unknown, outcomes?: { error?: Error }[]) => void) => void }} client
 * @param {number} size
 * @returns {Act}
 */
function listed(client, size) {
  /** @type {Body[]} */
  let list = [];
  /** @type {Done[]} */
  let waiting = [];
  let planned = false;
  const send = () => {
    planned = false;
    const told = waiting;
    client.publishMany(list, (error, outcomes) =>
      told.forEach((done, index) => done(error ?? outcomes?.[index].error)),
    );
    list = [];
    waiting = [];
  };
  return (body, done) => {
    waiting.push(done);
    if (list.push(body) === size) return send();
    // The last list of a window is shorter.
    if (planned) return;
    planned = true;
    queueMicrotask(() => planned && list.length > 0 && send());
  };
}

/** Handles what waits in the queue, in code that is as cold as it is after a start, which is part of it. */
async function short() {
  const { count, prefetch } = job;
  const numbered = new Numbered(count, size);
  const all = new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
    /** @param {Body} body */
    const handle = (body) => {
      numbered.take(body);
      if (numbered.seen === count) resolve();
    };
    open({ url, consume: [{ queue, prefetch, handle }] }).then(
      async (/** @type {{ close: () => unknown }} */ client) => {
        await all;
        const result = { cpu: cpu() / count, rate: count / (performance.now() / 1000), count };
        await finish(client, { ...result, seen: numbered.seen, problem: numbered.problem });
      },
      report,
    );
  });
  await all;
}

/** Handles what waits in the queues; the window opens when the first messages are through. */
async function consume() {
  const { consumers, count, warmUp, spread, delays, lingers } = job;
  const { enhanced } = consumers[0];
  const enhancers = enhanced && (await import('./enhancers.mjs'));
  const loop = delays && (await import('./delays.mjs')).loopDelays();
  // The queue is filled while this process loads.
  await ask('loaded');
  const numbered = new Numbered(count, size);
  let begun = mark();
  /** @type {object} */
  let result = {};
  const all = new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
    /** @param {Body} body */
    const take = (body) => {
      numbered.take(body);
      if (numbered.seen === warmUp) {
        loop?.begin();
        begun = mark();
      } else if (numbered.seen === count) {
        result = since(begun, count - warmUp);
        resolve();
      }
    };
    const handle = enhancers ? enhancers.checked(enhanced, take) : take;
    const handlers = consumers.map((/** @type {any} */ consumer, /** @type {number} */ index) => ({
      ...consumer,
      handle: consumer.route || spread ? (/** @type {Body} */ body) => at(index, body, take) : handle,
    }));
    open({ url, consume: handlers }).then(async (/** @type {any} */ client) => {
      await all;
      const delay = await loop?.end();
      if (lingers) await pause(lingers);
      const problem = misrouted ?? numbered.problem ?? enhancers?.problemOf(enhanced, count);
      await finish(client, { ...result, ...delay, seen: numbered.seen, problem });
    }, report);
  });
  await all;
}

/**
 * Which of several handlers a message must come to is in its number.
 *
 * @param {number} index
 * @param {Body} body
 * @param {(body: Body) => void} take
 */
function at(index, body, take) {
  if (body.n % job.consumers.length !== index) misrouted ??= `message ${body.n} came to handler ${index}`;
  take(body);
}

/** Calls with `atOnce` unanswered, beside `pending` calls that nobody answers. The server is here or elsewhere. */
async function call() {
  const { atOnce, warmUp, window, here, silent, pending = 0 } = job;
  /** @type {string | undefined} */
  let problem;
  const server = here && { ...here, queue, answer: (/** @type {Body} */ body) => body };
  const client = await open({ url, serve: server, call: { queue }, deadline });
  const beside = (/** @type {any} */ error) =>
    (problem ??= `a call that nobody answers came back: ${error?.message}`);
  for (let n = 0; n < pending; n++) client.call(make(n), beside, silent);
  if (pending > 0) await ask('pending');
  /** @type {number[]} */
  const times = [];
  /** @type {Act} */
  const act = (body, done) => {
    const sent = atOnce === 1 ? performance.now() : 0;
    /** @type {Done} */
    const settled = (error, reply) => {
      if (sent > 0) times.push(performance.now() - sent);
      if (!error && (reply?.n !== body.n || reply?.note !== body.note))
        problem ??= `call ${body.n}: wrong reply`;
      done(error);
    };
    client.call(body, settled);
  };
  const first = await warmedUp(act, atOnce, warmUp);
  await ask('window');
  times.length = 0;
  const begun = mark();
  const last = await flow({ act, atOnce, first, ...window });
  const p50 = atOnce === 1 ? { p50: times.sort((a, b) => a - b)[times.length >> 1] } : {};
  const result = { ...since(begun, last - first), ...p50, sent: last, problem };
  if (!here) await ask('measured');
  // Calls that nobody answers would hold up the end.
  await finish(pending > 0 ? { close: () => {} } : client, result);
}

/** Answers what it is asked with the same, or with `items` numbered ones; tells its CPU time when the parent wants to know. */
async function serve() {
  const { prefetch, items } = job;
  let handled = 0;
  const answer = (/** @type {Body} */ body) => {
    handled++;
    return body;
  };
  const many = async function* () {
    handled++;
    for (let n = 0; n < items; n++) yield make(n);
  };
  const client = await open({ url, serve: { queue, prefetch, answer: items ? many : answer } });
  process.on('message', (what) => {
    if (what === 'cpu') process.send?.({ kind: 'cpu', cpu: cpu(), handled });
    else void finish(client, {});
  });
  process.send?.({ kind: 'ready' });
}

/** How long it took until this process could handle and had published, from its first instruction on. */
async function start() {
  const take = { queue, prefetch: 100, handle: () => {} };
  const client = await open({ url, consume: [take], publish: { queue: job.other, persistent: false } });
  // Some open the channel for it only then.
  if (client.publish)
    await new Promise((resolve, reject) =>
      client.publish(make(0), (/** @type {any} */ error) => (error ? reject(error) : resolve(undefined))),
    );
  await finish(client, { ms: performance.now() });
}

/** Publishes and handles in one process, and says what memory that took. */
async function through() {
  const { count, atOnce } = job;
  const numbered = new Numbered(count, size);
  /** @type {any} */
  let client;
  await new Promise((/** @type {(value?: unknown) => void} */ resolve, reject) => {
    const handle = (/** @type {Body} */ body) => {
      numbered.take(body);
      if (numbered.seen === count) resolve();
    };
    open({ url, consume: [{ queue, prefetch: 100, handle }], publish: { queue, persistent: false } })
      .then((/** @type {any} */ opened) => {
        client = opened;
        /** @type {Act} */
        const act = (body, done) => client.publish(body, done);
        return flow({ act, atOnce, first: 0, count });
      })
      .catch(reject);
  });
  const rss = process.memoryUsage.rss();
  const { user, system } = process.cpuUsage();
  await finish(client, { rss, cpu: (user + system) / count, seen: numbered.seen, problem: numbered.problem });
}
