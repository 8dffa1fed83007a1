// Runs the clients of a case in processes of their own, all at once, and says what they used.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** @typedef {{ before: number, seconds: number, clients: Record<string, number> }} Used */

/** No client may take longer, in milliseconds. */
const LIMIT = 120_000;

/** The program of all processes. */
export const PROGRAM = join(import.meta.dirname, 'clients.mjs');

/**
 * @param {import('./cases.mjs').Stand} stand
 * @param {Partial<import('./cases.mjs').Way>} way
 * @param {readonly import('./clients.mjs').Role[]} who
 * @returns {Promise<Used>}
 */
export async function run(stand, way, who) {
  /** @type {{ name: string, child: import('node:child_process').ChildProcess, done: Promise<any> }[]} */
  const children = [];
  try {
    for (const name of who) {
      const first = name === 'publisher' ? (way.publishFrom ?? 0) : 0;
      const job = JSON.stringify({ url: stand.url, ...way, first });
      const child = fork(PROGRAM, [name, job]);
      const done = answer(child, 'done');
      // The first failure is the one that is reported.
      done.catch(() => {});
      children.push({ name, child, done });
      await answer(child, 'ready');
    }
    const { cpu: before } = await stand.cpu();
    /** @type {Record<string, number>} */
    const clients = {};
    const begun = performance.now();
    for (const { child } of children) child.send('go');
    for (const { name, done } of children) clients[name] = (await done).cpu;
    const seconds = (performance.now() - begun) / 1000;
    await Promise.all(children.map(({ child }) => child.exitCode ?? once(child, 'exit')));
    return { before, seconds, clients };
  } finally {
    for (const { child } of children) child.kill();
  }
}

/**
 * The message of that kind; rejects when the process ends without it, or does not send it.
 *
 * @param {import('node:child_process').ChildProcess} child
 * @param {string} kind
 * @returns {Promise<any>}
 */
function answer(child, kind) {
  return new Promise((resolve, reject) => {
    child.on('message', (/** @type {any} */ message) => message.kind === kind && resolve(message));
    child.once('exit', (code) => reject(new Error(`a client ended with ${code} before it was ${kind}`)));
    setTimeout(() => reject(new Error(`a client was not ${kind} after ${LIMIT / 1000} s`)), LIMIT).unref();
  });
}
