// One process of one system under test: `node program.mjs <system> <role> '<settings as JSON>'`. All systems run this
// same program. It takes a JSON object per line on standard input and prints one per line; it never catches what the
// library leaves unhandled, so a crash is a crash.
import { createInterface } from 'node:readline';
import { clearInterval, setInterval } from 'node:timers';
import { setTimeout as pause } from 'node:timers/promises';
import { fails } from './harness/failing.mjs';
import { madeOf, shown } from './harness/values.mjs';

/**
 * What a process is told: where it works and how, in the same words for all systems. `failing` and `work` (in ms) are for
 * the handler, `calls` and `errors` are set by calls/sides.mjs.
 *
 * @typedef {object} Settings
 * @property {string} url
 * @property {string} exchange
 * @property {string} key
 * @property {string} queue
 * @property {'classic' | 'quorum'} queueType
 * @property {number} prefetch
 * @property {number} heartbeat in seconds
 * @property {boolean} [careful]
 * @property {{ attempts: number, delays?: number }} [retry]
 * @property {boolean} [retryUnknown]
 * @property {boolean} [failing]
 * @property {number} [work]
 * @property {boolean} [calls]
 * @property {(new (...args: any[]) => Error)[]} [errors]
 * @property {ReturnType<typeof log>} logger
 * @property {(error: any) => void} failed
 */

/**
 * What the application sends; a bad input may be anything else.
 *
 * @typedef {{ n?: number, text?: string, please?: unknown }} Body
 */

/**
 * What some systems tell a handler.
 *
 * @typedef {{ attempt?: number, redelivered?: boolean }} About
 */

/**
 * A line to print.
 *
 * @typedef {(event: import('./harness/child.mjs').ChildEvent) => unknown} Print
 */

/**
 * The sender of a system. What may be said of a message differs, and bad inputs say what none allows.
 *
 * @typedef {object} Producer
 * @property {(body: unknown, options?: any) => Promise<unknown>} publish
 */

/**
 * The caller of a system. Which `options` a call has differs, and not all systems have `stream` and `gather`: nobody asks
 * them for it.
 *
 * @typedef {object} Caller
 * @property {(payload: unknown, timeout?: number, options?: object) => Promise<unknown>} call
 * @property {(payload: unknown, options: { timeout: number, credit?: number }) => AsyncIterable<unknown>} stream
 * @property {(payload: unknown, timeout: number) => Promise<unknown>} gather
 */

/**
 * What a `peer.mjs` exports: how its system plays each part. `handle` and `answer` are the application's handlers,
 * `items` is its generator, and `exceptions` are the classes that its handlers may throw.
 *
 * @typedef {object} Peer
 * @property {(settings: Settings, handle: (body: any, about?: About) => Promise<void>) => Promise<object>} consumer
 * @property {(settings: Settings) => Promise<Producer>} producer
 * @property {(settings: Settings, answer: (body: any, about?: any) => unknown, items?: (body: any) => AsyncIterable<unknown>) => Promise<object>} rpcServer
 * @property {(settings: Settings) => Promise<Caller>} rpcClient
 * @property {Exceptions} exceptions
 */

/**
 * Of Nest, where they are installed.
 *
 * @typedef {object} Exceptions
 * @property {typeof import('@nestjs/common').HttpException} HttpException
 * @property {typeof import('@nestjs/microservices').RpcException} RpcException
 */

/**
 * One of what it is asked for; an `id` comes back with the outcome.
 *
 * @typedef {object} Command
 * @property {number | string} id
 * @property {unknown} [publish]
 * @property {unknown} [options]
 * @property {unknown} [call]
 * @property {number} [timeout]
 * @property {Numbered} [stream]
 * @property {boolean} [memory]
 */

/**
 * Messages, or calls, numbered from `from`; `rate` a second, `size` in bytes.
 *
 * @typedef {{ calls?: boolean, from: number, count: number, rate: number, size?: number, timeout?: number }} Numbered
 */

const [system, role, json] = process.argv.slice(2);
/** @type {Peer} */
const peer = await import(new URL(`./${system}/peer.mjs`, import.meta.url).href);
/** @type {Print} */
const print = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);

/** @type {Settings} */
const settings = {
  ...JSON.parse(json),
  logger: log(),
  failed: (/** @type {any} */ error) => console.error(`failed: ${error?.message ?? error}`),
};

const roles = {
  consumer: () => peer.consumer(settings, take),
  producer: () => peer.producer(settings),
  'rpc-server': () => peer.rpcServer(settings, answer),
  'rpc-client': () => peer.rpcClient(settings),
  'calls-server': async () => (await import('./calls/sides.mjs')).serve(peer, settings, print),
  'calls-client': async () => (await import('./calls/sides.mjs')).caller(peer, settings, print),
};

/** @type {NodeJS.Timeout | undefined} */
let streaming;
// Each is asked only for what its role can do.
const part = /** @type {Producer & Caller & { obey?: (command: any) => Promise<void> }} */ (
  await roles[/** @type {keyof typeof roles} */ (role)]()
);
print({ event: 'ready' });

createInterface({ input: process.stdin }).on('line', (line) => void obey(JSON.parse(line)));

/**
 * What the application's handler does: tells what it was given, and fails when the message or its number says so.
 *
 * @param {Body | undefined} body
 * @param {About} [about]
 */
async function take(body, about = {}) {
  print({ event: 'handled', body: shown(body), n: body?.n, ...about });
  if (body?.please === 'die') process.kill(process.pid, 'SIGKILL');
  if (body?.please === 'throw') throw new Error('the handler failed');
  if (settings.failing && fails(Number(body?.n), about.attempt)) {
    print({ event: 'failed', n: body?.n, ...about });
    throw new Error('the handler failed');
  }
  if (settings.work) await pause(settings.work);
  print({ event: 'done', n: body?.n });
}

/** @param {Body | undefined} body */
async function answer(body) {
  print({ event: 'handled', body: shown(body), n: body?.n });
  if (body?.please === 'throw') throw new Error('secret: the password is 1234');
  if (body?.please !== undefined) return madeOf(body.please);
  if (settings.work) await pause(settings.work);
  return { n: body?.n };
}

/** @param {Command} command */
function obey(command) {
  const { id, publish, call, options, timeout, stream, memory } = command;
  if (part.obey) {
    void part.obey(command);
    return;
  }
  if (memory) print({ event: 'memory', rss: process.memoryUsage.rss() });
  else if (stream !== undefined) void numbered(stream);
  else if (call !== undefined) void settle(id, () => part.call(madeOf(call), timeout));
  else void settle(id, () => part.publish(madeOf(publish), madeOf(options)));
}

/**
 * Numbered messages, or calls, at a steady rate and not one by one; ends with `{ stream: { count: 0 } }`.
 *
 * @param {Numbered} what
 */
async function numbered({ calls, from, count, rate, size = 0, timeout }) {
  clearInterval(streaming);
  if (!(count > 0)) return;
  const text = 'x'.repeat(size);
  const began = performance.now();
  let sent = 0;
  streaming = setInterval(() => {
    const due = Math.min(count, Math.floor(((performance.now() - began) / 1_000) * rate));
    for (; sent < due; sent++) {
      const n = from + sent;
      print({ event: 'sent', n });
      void settle(n, () => (calls ? part.call({ n }, timeout) : part.publish({ n, text })));
    }
    if (sent === count) clearInterval(streaming);
  }, 5);
}

/** @param {number | string} id @param {() => Promise<unknown>} work */
async function settle(id, work) {
  const began = performance.now();
  const told = (/** @type {object} */ outcome) =>
    print({ event: 'settled', id, ms: Math.round(performance.now() - began), ...outcome });
  try {
    const value = await work();
    told({ ok: true, value: shown(value) });
  } catch (error) {
    told({ ok: false, error: named(error) });
  }
}

/** @param {unknown} error */
function named(error) {
  if (!(error instanceof Error)) return shown(error);
  return `${error.name === 'Error' ? error.constructor.name : error.name}: ${error.message}`.slice(0, 200);
}

/** The library's log, in one form for all: what it says at warn or error counts as having told somebody. */
function log() {
  /** @param {string} level @returns {(message: unknown) => void} */
  const line = (level) => (message) => print({ event: 'log', level, text: shown(message) });
  const quiet = () => {};
  const loud = line('error');
  return { log: quiet, debug: quiet, verbose: quiet, warn: line('warn'), error: loud, fatal: loud };
}
