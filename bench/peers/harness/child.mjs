// A system under test as a process: JSON lines in and out, everything it said kept for the judgement, a bound on
// every wait, and an end for certain.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { clearTimeout, setTimeout } from 'node:timers';
import { root } from '../../../tools/run.mjs';
import { PASSWORD } from './broker.mjs';

/**
 * A line that a process printed.
 *
 * @typedef {{ event: string, [fact: string]: any }} ChildEvent
 */

/**
 * What came of a publish or a call that a process was asked for: `value` when it is `ok`, else `error`; after so many ms.
 *
 * @template Value
 * @typedef {ChildEvent & { ok: boolean, value: Value, error: string, ms: number }} Settled
 */

/** @type {Set<Child>} */
const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill();
});

/** Ends all that still run, at once. */
export const endAll = () => Promise.all([...running].map((child) => child.kill()));

export class Child {
  /**
   * What it printed, in order. Emptied by `forget`.
   *
   * @type {ChildEvent[]}
   */
  events = [];
  /** What it wrote to standard error; the beginning is what matters. */
  complaints = '';
  /** Lines and pieces of standard error that held the password. */
  leaks = 0;
  ended = false;
  /**
   * Whether it is to end.
   *
   * @type {'and again' | 'for good' | undefined}
   */
  expected;
  /**
   * With what it ended.
   *
   * @type {{ code?: number | Error | null, signal?: NodeJS.Signals | null }}
   */
  exit = {};
  #process;
  /** @type {Set<() => void>} */
  #look = new Set();
  #over;
  /** @type {(event: ChildEvent) => void} */
  #hear;

  /**
   * `hear(event)` is told of each line as it comes.
   *
   * @param {string} system
   * @param {string} role
   * @param {object} settings
   * @param {(event: ChildEvent) => void} [hear]
   */
  constructor(system, role, settings, hear = () => {}) {
    const program = join(import.meta.dirname, '..', 'program.mjs');
    const args = [program, system, role, JSON.stringify(settings)];
    this.#process = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    running.add(this);
    this.#hear = hear;
    this.#process.stdin.on('error', () => {});
    createInterface({ input: this.#process.stdout }).on('line', (line) => this.#line(line));
    this.#process.stderr.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
      if (text.includes(PASSWORD)) this.leaks++;
      // What is written down must not depend on where the tree lies.
      if (this.complaints.length < 10_000) this.complaints += text.replaceAll(root, '.');
    });
    this.#over = new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
      /** @param {number | Error | null} code @param {NodeJS.Signals | null} [signal] */
      const over = (code, signal) => {
        running.delete(this);
        this.ended = true;
        this.exit = { code, signal };
        this.#tell();
        resolve();
      };
      this.#process.once('error', over).once('close', over);
    });
  }

  /** @param {object} command */
  tell(command) {
    if (!this.ended) this.#process.stdin.write(`${JSON.stringify(command)}\n`);
  }

  forget() {
    this.events.length = 0;
    this.complaints = '';
  }

  /**
   * The first event that fits, or undefined when none came within `limit` milliseconds or the process ended.
   *
   * @param {(event: ChildEvent) => boolean} fits
   * @param {number} limit
   * @returns {Promise<ChildEvent | undefined>}
   */
  wait(fits, limit) {
    return new Promise((resolve) => {
      /** @param {ChildEvent | undefined} event */
      const done = (event) => {
        clearTimeout(timer);
        this.#look.delete(look);
        resolve(event);
      };
      const look = () => {
        const event = this.events.find(fits);
        if (event !== undefined || this.ended) done(event);
      };
      const timer = setTimeout(() => done(undefined), limit);
      this.#look.add(look);
      look();
    });
  }

  /** Whether it said anything to a person: a line of the log, or of standard error. */
  get told() {
    return this.complaints.trim() !== '' || this.events.some(({ event }) => event === 'log');
  }

  get pid() {
    return this.#process.pid;
  }

  /** Resolves when it has ended and everything it printed was read. */
  get over() {
    return this.#over;
  }

  /** @param {NodeJS.Signals} name */
  signal(name) {
    if (!this.ended) this.#process.kill(name);
  }

  async kill() {
    this.signal('SIGKILL');
    await this.#over;
  }

  /** @param {string} line */
  #line(line) {
    if (line.includes(PASSWORD)) this.leaks++;
    let event;
    try {
      event = JSON.parse(line);
    } catch {
      event = { event: 'log', level: 'print', text: line };
    }
    // A loop prints without end; what came first is enough for the judgement.
    if (this.events.length < 10_000) this.events.push(event);
    this.#hear(event);
    this.#tell();
  }

  #tell() {
    for (const look of [...this.#look]) look();
  }
}
