// A contender's process as the parent has it: a bound on every wait, what it wrote to standard error when it failed,
// and an end for certain.
import { fork } from 'node:child_process';
import { join } from 'node:path';
import { clearTimeout, setTimeout } from 'node:timers';
import { stripVTControlCharacters } from 'node:util';
import { root } from '../../tools/run.mjs';

/** @type {Set<Contender>} */
const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill();
});

let over = false;

/** @typedef {{ kind: string, message?: string, [fact: string]: any }} Message */

/** Ends all that still run, at once; none starts after that. */
export function endAll() {
  over = true;
  return Promise.all([...running].map((child) => child.kill()));
}

export class Contender {
  #child;
  #complaints = '';
  /** @type {Message[]} */
  #heard = [];
  #wake = () => {};
  #over;

  /** @param {object} job @param {Record<string, string>} [environment] more variables */
  constructor(job, environment = {}) {
    if (over) throw new Error('The benchmark is over.');
    this.#child = fork(join(import.meta.dirname, 'child.mjs'), [JSON.stringify(job)], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      cwd: root,
      env: { ...process.env, ...environment },
    });
    running.add(this);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text) => {
        if (this.#complaints.length < 2_000) this.#complaints += text;
      });
    }
    /** @param {Message} message */
    const hear = (message) => {
      this.#heard.push(message);
      this.#wake();
    };
    this.#child.on('message', hear);
    this.#child.on('error', (error) => hear({ kind: 'error', message: error.message }));
    this.#over = new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
      this.#child.once('close', (code, signal) => {
        running.delete(this);
        hear({ kind: 'error', message: `it ended with ${signal ?? code}` });
        resolve();
      });
    });
  }

  /** @param {string} word */
  tell(word) {
    if (this.#child.connected) this.#child.send(word, () => {});
  }

  /**
   * The next message of that kind; rejects with what went wrong instead, or after `limit` milliseconds.
   *
   * @param {string} kind
   * @param {number} limit
   */
  async hear(kind, limit) {
    const end = performance.now() + limit;
    for (;;) {
      const message = this.#heard.shift();
      if (message?.kind === kind) return message;
      if (message?.kind === 'error') throw new Error(this.#why(message.message));
      if (message !== undefined) continue;
      const left = end - performance.now();
      if (left <= 0) throw new Error(this.#why(`nothing after ${limit / 1000} s`));
      await new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Resolves when it has ended, which it has been told to. */
  get over() {
    return this.#over;
  }

  async kill() {
    this.#child.kill('SIGKILL');
    await this.#over;
  }

  // What is written down must not depend on where the tree lies.
  /** @param {string} [message] */
  #why(message = '') {
    const text = `${message.split('\n')[0]} ${this.#complaints.trim().split('\n')[0] ?? ''}`.trim();
    const plain = stripVTControlCharacters(text);
    return plain.replaceAll(`file://${root}`, '.').replaceAll(root, '.').slice(0, 300);
  }
}
