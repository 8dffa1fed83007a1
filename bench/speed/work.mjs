// What every work of a contender's process needs: its job, the contender, a flow of messages, its own CPU time, and words
// with the parent.
import { once } from 'node:events';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { bodies } from './bodies.mjs';

/**
 * @typedef {ReturnType<ReturnType<typeof bodies>>} Body
 * @typedef {(error?: any, reply?: Body) => void} Done
 * @typedef {(body: Body, done: Done) => void} Act
 */

/**
 * How much: a count, ms of CPU time, ms that pass at most; never fewer than `least`.
 *
 * @typedef {{ count: number, cpu?: number, ms?: number, least?: number }} Span
 */

process.once('disconnect', () => process.exit(1));
/** What the parent wants. */
export const job = JSON.parse(process.argv[2]);
/** Opens the contender. @type {{ open: (roles: any) => Promise<any> }} */
export const { open } = await import(`./contenders/${job.contender}.mjs`);
/** The body of a number. @type {(n: number) => Body} */
export const make = job.size && bodies(job.size);
/** Under way at least while it warms up: code that is slow because of waits is compiled as well. */
const WARM = 64;
/** Time between two looks at the CPU time, in ms. */
const LOOK = 20;

/**
 * Warms up, at last in the very way of the window: how a socket acknowledges depends on what it has just seen.
 *
 * @param {Act} act
 * @param {number} atOnce
 * @param {Span} warmUp
 */
export async function warmedUp(act, atOnce, warmUp) {
  const first = await flow({ act, atOnce: Math.max(atOnce, WARM), first: 0, ...warmUp });
  return atOnce < WARM ? flow({ act, atOnce, first, count: Math.min(500, warmUp.count), ms: 500 }) : first;
}

/**
 * Keeps `atOnce` under way until `count` have begun, or, after `least` of them, `cpu` milliseconds of CPU time were spent or
 * `ms` are over; resolves with the next number when all are in.
 *
 * @param {Span & { act: Act, atOnce: number, first: number }} work
 */
export function flow({ act, atOnce, first, count, cpu: budget = Infinity, ms = Infinity, least = 0 }) {
  const end = first + count;
  const until = performance.now() + ms;
  const spent = cpu() + budget * 1000;
  let look = 0;
  let next = first;
  let settled = first;
  let over = false;
  const late = () => {
    const now = performance.now();
    if (now > until) return true;
    // Asking for the CPU time takes a part of it: some 50 µs where the system is a sandbox.
    if (now < look) return false;
    look = now + LOOK;
    return cpu() > spent;
  };
  return new Promise((/** @type {(next: number) => void} */ resolve, reject) => {
    const one = (/** @type {any} */ error) => {
      if (error) return reject(error);
      settled++;
      over ||= next >= end || (next - first >= least && late());
      if (!over) act(make(next++), one);
      else if (settled === next) resolve(next);
    };
    for (let n = Math.min(atOnce, count); n > 0; n--) act(make(next++), one);
  });
}

export function cpu() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

export function mark() {
  return { cpu: cpu(), at: performance.now() };
}

/** @param {ReturnType<typeof mark>} begun @param {number} count */
export function since(begun, count) {
  const now = mark();
  return {
    cpu: (now.cpu - begun.cpu) / count,
    rate: (count / (now.at - begun.at)) * 1000,
    count,
  };
}

/**
 * Tells the parent and waits for its word.
 *
 * @param {string} kind
 */
export async function ask(kind) {
  const told = once(process, 'message');
  process.send?.({ kind });
  await told;
}

/** @param {any} error */
export function report(error) {
  process.send?.({ kind: 'error', message: String(error?.stack ?? error) });
}

/**
 * Ends properly, so that what was acked is acked, then says what was measured.
 *
 * @param {{ close: () => unknown }} client
 * @param {object} result
 */
export async function finish(client, result) {
  const ended = Promise.resolve(client.close()).then(
    () => undefined,
    (error) => `close: ${error.message}`,
  );
  const late = await Promise.race([ended, pause(5_000, 'close() did not end within 5 s')]);
  process.send?.({ kind: 'done', result: late ? { ...result, late } : result }, () => process.exit(0));
}
