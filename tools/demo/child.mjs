// A process of the demo: a producer, a consumer or a broker. The applications print a JSON object per line (--json),
// and everything here waits for such lines or for the end of the process, never for time to pass, and never for ever.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { cpus, loadavg } from 'node:os';
import { clearInterval, clearTimeout, setInterval, setTimeout } from 'node:timers';
import { aside, print } from './picture.mjs';

/** How long the demo waits while no process says anything, in milliseconds: generous, because it only counts when something is wrong. */
export const PATIENCE = 120_000;
/** How long it waits in all, whatever others say. */
const MOST = 5 * PATIENCE;
/** How often it is said what is waited for. */
const REMINDER = 10_000;

/** When a process last said something, or was started: on a slow machine that is progress, too. */
let heard = performance.now();
/** When it was last said what is waited for: once for all that wait. */
let reminded = 0;

/** @param {number} ms */
const seconds = (ms) => `${Math.round(ms / 1000)} s`;

/** `load 31 on 2 processors`, or nothing where the system does not say. */
function load() {
  const [now = 0] = loadavg();
  return now === 0 ? '' : `load ${now.toFixed(0)} on ${cpus().length} processors`;
}

/** How long was waited, and whether the machine is to blame. @param {number} ms */
function waited(ms) {
  const isSlow = (loadavg()[0] ?? 0) > 2 * cpus().length;
  return `waited ${seconds(ms)}${isSlow ? `; the machine is slow: ${load()}` : ''}`;
}

/** @type {Set<Child>} */
const running = new Set();

// The last resort, when nothing can be awaited any more.
process.on('exit', () => {
  for (const child of running) child.signal('SIGKILL');
});

/**
 * Ends the processes that still run (of those that `chosen` accepts): politely first, then for good.
 *
 * @param {(child: Child) => boolean} [chosen]
 */
export async function endAll(chosen = () => true) {
  await Promise.all([...running].filter(chosen).map((child) => child.stop()));
}

/**
 * Waits until `condition` holds, looking whenever one of the children says something, and says what it waits for now
 * and then. Rejects with what `missing` says, and how long that took, when no process of the demo has said anything for
 * `limit`, or as soon as one of the children has ended.
 *
 * @param {readonly Child[]} children
 * @param {() => boolean} condition
 * @param {() => string} missing
 * @param {number} limit
 */
export async function until(children, condition, missing, limit = PATIENCE) {
  const started = performance.now();
  let timer;
  let look;
  /** @type {Promise<void>} */
  const reached = new Promise((resolve, reject) => {
    const since = () => performance.now() - started;
    const over = () => reject(new Error(`${missing()} (${waited(since())})`));
    look = () => {
      if (condition()) resolve();
      else if (children.some((child) => !running.has(child))) over();
    };
    timer = setInterval(
      () => {
        const now = performance.now();
        if (now - Math.max(heard, started) > limit || since() > (limit / PATIENCE) * MOST) return over();
        if (now - Math.max(reminded, started) < REMINDER) return;
        reminded = now;
        const who = children.map(({ label }) => label).join(', ');
        print(
          aside(`waiting for ${who} (${[`${seconds(since())} so far`, load()].filter(Boolean).join('; ')})`),
        );
      },
      Math.min(1_000, limit),
    );
    for (const child of children) child.changed.add(look);
    look();
  });
  try {
    await reached;
  } finally {
    clearInterval(timer);
    for (const child of children) child.changed.delete(look);
  }
}

/**
 * A line of an application with --json; other lines are `{ event: 'line', text }`.
 * @typedef {{ readonly event: string, readonly text?: string, readonly [fact: string]: any }} ChildEvent
 */

/**
 * How a process ended.
 * @typedef {{ readonly code: number | null, readonly signal: NodeJS.Signals | null }} ChildEnd
 */

/** A Node process whose lines are waited for. */
export class Child {
  /** Called whenever it has said something, or has ended. */
  changed = new Set();
  /**
   * Events in the order in which they were printed.
   * @type {ChildEvent[]}
   */
  events = [];
  /** What it wrote to standard error. */
  complaints = '';
  /** @type {Promise<ChildEnd>} */
  ended;
  label;
  #process;

  /** @param {string} label @param {readonly string[]} args @param {NodeJS.ProcessEnv} env */
  constructor(label, args, env = process.env) {
    this.label = label;
    this.#process = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(this);
    heard = performance.now();
    createInterface({ input: this.#process.stdout }).on('line', (line) => this.#line(line));
    this.#process.stderr.setEncoding('utf8').on('data', (text) => {
      // Kept for the report of a failure; the beginning is what matters.
      if (this.complaints.length < 10_000) this.complaints += text;
    });
    this.ended = new Promise((resolve) => {
      /** @param {number | null} code @param {NodeJS.Signals | null} signal */
      const over = (code, signal) => {
        running.delete(this);
        resolve({ code, signal });
        this.#tell();
      };
      this.#process.once('error', (error) => {
        this.complaints += error.message;
        over(1, null);
      });
      // 'close' comes after 'exit', when its output has been read to the end.
      this.#process.once('close', over);
    });
  }

  get pid() {
    return this.#process.pid;
  }

  /**
   * Events of one kind.
   *
   * @param {string} event
   */
  all(event) {
    return this.events.filter((each) => each.event === event);
  }

  /** Texts of the messages that a consumer got so far. */
  get got() {
    return this.all('got').map(({ text = '' }) => text);
  }

  /**
   * Waits until there are `count` events of a kind; rejects, saying what is there, when they do not come.
   *
   * @param {string} event
   * @param {number} count
   * @param {number} limit
   */
  async wait(event, count = 1, limit = PATIENCE) {
    await until(
      [this],
      () => this.all(event).length >= count,
      () => this.#missing(event, count),
      limit,
    );
    return this.all(event);
  }

  /** Waits for it to end by itself; kills it when it never does. */
  async end() {
    await until(
      [this],
      () => !running.has(this),
      () => `${this.label} does not end`,
    ).catch(() => this.signal('SIGKILL'));
    return this.ended;
  }

  /** Asks it to end, and insists when it does not. */
  async stop() {
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.signal('SIGKILL'), PATIENCE);
    const outcome = await this.ended;
    clearTimeout(timer);
    return outcome;
  }

  /** Ends it at once, as a crash or a power cut would. */
  async kill() {
    this.signal('SIGKILL');
    return this.ended;
  }

  /** @param {NodeJS.Signals} name */
  signal(name) {
    if (running.has(this)) this.#process.kill(name);
  }

  /** @param {string} line */
  #line(line) {
    try {
      this.events.push(JSON.parse(line));
    } catch {
      this.events.push({ event: 'line', text: line });
    }
    this.#tell();
  }

  #tell() {
    heard = performance.now();
    for (const look of [...this.changed]) look();
  }

  /** @param {string} event @param {number} count */
  #missing(event, count) {
    const there = this.all(event).map(({ text }) => JSON.stringify(text ?? ''));
    const what =
      `${this.label}: ${count} × "${event}" did not come, ${there.length} did ${there.join(' ')}`.trim();
    const over = running.has(this) ? '' : ', and it has ended';
    return `${what}${over}${this.complaints ? `; it says: ${this.complaints.trim()}` : ''}`;
  }
}
