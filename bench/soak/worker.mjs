// One process of the soak run: a service (handlers and an RPC server) or a producer (publishes and calls). What it saw is
// written to its journal line by line and at once, so that a process that is killed has told everything up to then.
import { closeSync, existsSync, openSync, writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Broker, Reject, Retry } from '@warren/amqp';
import { QUEUES, RETRIES, planOf } from './plan.mjs';

/**
 * @typedef {import('@warren/amqp').Delivery<any>} Delivery
 * @typedef {import('./plan.mjs').Kind} Kind
 * @typedef {import('@warren/amqp').HandlerRegistration} Registration
 */

const { role, name, url, journal, dependency, rate, seed } = JSON.parse(process.argv[2]);
const fd = openSync(journal, 'a');
// One monotonic clock for all processes of the machine.
const now = () => Number(process.hrtime.bigint() / 1_000n) / 1_000;
/** @param {object} line */
const note = (line) => writeSync(fd, `${JSON.stringify({ at: now(), ...line })}\n`);
const log = (/** @type {string} */ level) => (/** @type {unknown} */ text) =>
  note({ log: level, text: String(text).slice(0, 500) });

// By how much this process got its turn too late, all in all: on a busy machine nobody in it could be on time.
const BEAT = 20;
let behind = 0;
let due = now() + BEAT;
const lag = () => behind + Math.max(0, now() - due);
function beat() {
  behind = lag();
  due = now() + BEAT;
  setTimeout(beat, BEAT).unref();
}
beat();

const broker = new Broker({
  url,
  service: 'soak',
  heartbeat: '2s',
  prefetch: 20,
  startup: 'background',
  shutdown: '5s',
  watchdog: '5s',
  logger: { log: log('log'), warn: log('warn'), error: log('error') },
});

broker.on(({ connection }) => note({ lost: connection }), ['disconnected']);

const parts = { service, producer };
const end = await parts[/** @type {keyof typeof parts} */ (role)]();
const health = setInterval(measure, 2_000);
measure();
note({ started: name });
process.on('message', (message) => message === 'end' && void close());
process.on('SIGTERM', () => void close());
process.on('disconnect', () => process.exit(1));

let closing = false;
async function close() {
  if (closing) return;
  closing = true;
  clearInterval(health);
  await end?.();
  const [from, before] = [now(), lag()];
  await broker.close();
  note({ ended: name, took: now() - from, lag: lag() - before });
  closeSync(fd);
  process.exit(0);
}

function measure() {
  globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  note({ heap: heapUsed + external, rss, handles: process.getActiveResourcesInfo().length });
}

async function service() {
  const handled = (/** @type {Kind} */ kind) => (/** @type {Delivery} */ delivery) => handle(kind, delivery);
  /**
   * @param {Registration['kind']} kind
   * @param {string} id
   * @param {string[]} patterns
   * @param {(delivery: any) => unknown} handle
   * @param {Registration['options']} options
   */
  const register = (kind, id, patterns, handle, options) =>
    broker.register({ kind, id, patterns, options, handle });
  for (const { kind, queueType } of /** @type {const} */ ([
    { kind: 'work', queueType: 'quorum' },
    { kind: 'classic', queueType: 'classic' },
  ]))
    register('consume', `Soak.${kind}`, [QUEUES[kind]], handled(kind), { queueType, retry: RETRIES.few });
  for (const { kind, queueType } of /** @type {const} */ ([
    { kind: 'dependent', queueType: 'quorum' },
    { kind: 'dependentClassic', queueType: 'classic' },
  ]))
    register('consume', `Soak.${kind}`, [QUEUES[kind]], handled(kind), { queueType, retry: RETRIES.many });
  register('subscribe', 'Soak.event', ['soak.event.#'], handled('event'), {
    queue: QUEUES.event,
    retry: RETRIES.few,
  });
  register('consume', 'Soak.ordered', [QUEUES.ordered], handled('ordered'), {
    singleActive: true,
    concurrency: 8,
    orderBy: { header: 'key' },
  });
  register('consume', 'Soak.batch', [QUEUES.batch], (deliveries) => batch(deliveries), {
    batch: { size: 10, wait: '200ms' },
    retry: RETRIES.few,
  });
  register('consume', 'Soak.stream', [QUEUES.stream], handled('stream'), {
    queueType: 'stream',
    stream: { offset: 'first' },
  });
  register(
    'rpc',
    'Soak.double',
    ['soak.double'],
    async ({ payload }) => {
      await pause(payload.ms);
      return payload.n * 2;
    },
    {},
  );
  register('rpc', 'Soak.items', ['soak.items'], ({ payload }) => items(payload.count), {});
  await broker.open();
}

/** @param {number} count */
async function* items(count) {
  for (let item = 0; item < count; item++) {
    yield item;
    await pause(5);
  }
}

/** @param {Kind} kind @param {Delivery} delivery */
async function handle(kind, { payload: { n, plan, delayed }, attempt, headers, message }) {
  note({ ran: n, kind, attempt, redelivered: message.redelivered });
  await pause(plan === 'slow' ? 200 : 2);
  if (plan === 'reject') throw Reject('as planned');
  if (plan === 'exhaust') throw new Error('always, as planned');
  if (plan === 'once' && attempt === 1) throw new Error('once, as planned');
  if (plan === 'later' && attempt === 1) throw Retry({ after: 700 });
  if (plan === 'dependent' && existsSync(dependency)) throw new Error('the dependency is away');
  const facts = { ...(delayed ? { delayed } : {}), ...(headers.key ? { key: headers.key } : {}) };
  note({ handled: n, kind, ...facts, ...(headers['x-warren-trial'] ? { suspect: true } : {}) });
}

/** @param {readonly Delivery[]} deliveries */
async function batch(deliveries) {
  await pause(5);
  for (const { payload } of deliveries) note({ handled: payload.n, kind: 'batch' });
}

async function producer() {
  broker.declare({ queues: [{ name: QUEUES.stream, queueType: 'stream' }] });
  await broker.open();
  let going = true;
  const flows = [publishes(() => going), calls(() => going)];
  return async () => {
    going = false;
    await Promise.all(flows);
  };
}

/** @param {() => boolean} going */
async function publishes(going) {
  const plan = planOf(seed);
  const open = new Set();
  const began = now();
  for (let n = 0; going(); n++) {
    const message = plan(n);
    note({ sent: n, kind: message.kind, plan: message.plan, key: message.key });
    const settled = publish(n, message).then(
      ({ routed }) => note({ confirmed: n, routed }),
      (error) => note({ refused: n, code: error?.code ?? String(error), sentNot: error?.sent === false }),
    );
    open.add(settled);
    void settled.finally(() => open.delete(settled));
    if (open.size > 5_000) await Promise.race(open);
    const due = began + ((n + 1) * 1_000) / rate;
    if (due > now()) await pause(due - now());
  }
  await Promise.all(open);
}

/**
 * @param {number} n
 * @param {{ kind: Kind, plan: string, key?: string, delay?: import('@warren/amqp').Duration }} message
 */
function publish(n, { kind, plan, key, delay }) {
  const payload = { n, plan, ...(delay ? { delayed: { since: now(), delay } } : {}) };
  // What the broker refuses is sent again after later messages: who needs an order does not want that.
  const options = { ...(delay ? { delay } : {}), ...(key ? { headers: { key }, retryNacked: 0 } : {}) };
  if (kind === 'event') return broker.publish(`soak.event.${n % 7}`, payload, options);
  return broker.send(QUEUES[kind], payload, options);
}

/** @param {() => boolean} going */
async function calls(going) {
  for (let n = 0; going(); n++) {
    const timeout = 3_000;
    const wait = waiting();
    const done = (/** @type {object} */ outcome) => note({ call: n, timeout, ...wait.longest(), ...outcome });
    const call =
      n % 10 === 9
        ? streamed(20, timeout, wait)
        : broker
            .request('soak.double', { n, ms: n % 5 === 0 ? 100 : 1 }, { timeout })
            .then((got) => got === n * 2);
    await Promise.all([
      call.then(
        (right) => done({ right }),
        (error) => done({ code: error?.code ?? String(error) }),
      ),
      pause(100),
    ]);
  }
}

/** @param {number} count @param {number} timeout @param {ReturnType<typeof waiting>} wait */
async function streamed(count, timeout, wait) {
  let next = 0;
  for await (const item of broker.stream('soak.items', { count }, { timeout })) {
    wait.over();
    if (item !== next++) return false;
  }
  return next === count;
}

/** The longest wait of a call for its answer, or of a stream for its next item: what its `timeout` is about. */
function waiting() {
  let [from, before] = [now(), lag()];
  let longest = { took: 0, lag: 0 };
  const over = () => {
    const wait = { took: now() - from, lag: lag() - before };
    if (wait.took - wait.lag >= longest.took - longest.lag) longest = wait;
    [from, before] = [now(), lag()];
  };
  return { over, longest: () => (over(), longest) };
}
