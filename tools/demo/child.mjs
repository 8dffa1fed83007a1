// A process of the demo: a producer, a consumer or a broker. The applications print a JSON object per line (--json),
// and everything here waits for such lines or for the end of the process, never for time to pass, and never for ever.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { clearTimeout, setTimeout } from 'node:timers';

/** How long anything may take, in milliseconds: generous, because it only counts when something is wrong. */
export const PATIENCE = 120_000;

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
 * Waits until `condition` holds, looking whenever one of the children says something. Rejects with what `missing`
 * says when the time is over, or as soon as one of them has ended.
 */
export async function until(children, condition, missing, limit = PATIENCE) {
  let timer;
  let look;
  /** @type {Promise<void>} */
  const reached = new Promise((resolve, reject) => {
    look = () => {
      if (condition()) resolve();
      else if (children.some((child) => !running.has(child))) reject(new Error(missing()));
    };
    timer = setTimeout(() => reject(new Error(missing())), limit);
    for (const child of children) child.changed.add(look);
    look();
  });
  try {
    await reached;
  } finally {
    clearTimeout(timer);
    for (const child of children) child.changed.delete(look);
  }
}

/**
 * A line of an application with --json; other lines are `{ event: 'line', text }`.
 * @typedef {{ readonly event: string, readonly text?: string, readonly [fact: string]: unknown }} ChildEvent
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

  constructor(label, args, env = process.env) {
    this.label = label;
    this.#process = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(this);
    createInterface({ input: this.#process.stdout }).on('line', (line) => this.#line(line));
    this.#process.stderr.setEncoding('utf8').on('data', (text) => {
      // Kept for the report of a failure; the beginning is what matters.
      if (this.complaints.length < 10_000) this.complaints += text;
    });
    this.ended = new Promise((resolve) => {
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

  /** Events of one kind. */
  all(event) {
    return this.events.filter((each) => each.event === event);
  }

  /** Texts of the messages that a consumer got so far. */
  get got() {
    return this.all('got').map(({ text }) => text);
  }

  /** Waits until there are `count` events of a kind; rejects, saying what is there, when they do not come. */
  async wait(event, count = 1, limit = PATIENCE) {
    await until(
      [this],
      () => this.all(event).length >= count,
      () => this.#missing(event, count),
      limit,
    );
    return this.all(event);
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

  signal(name) {
    if (running.has(this)) this.#process.kill(name);
  }

  #line(line) {
    try {
      this.events.push(JSON.parse(line));
    } catch {
      this.events.push({ event: 'line', text: line });
    }
    this.#tell();
  }

  #tell() {
    for (const look of [...this.changed]) look();
  }

  #missing(event, count) {
    const there = this.all(event).map(({ text }) => JSON.stringify(text ?? ''));
    const what =
      `${this.label}: ${count} × "${event}" did not come, ${there.length} did ${there.join(' ')}`.trim();
    const over = running.has(this) ? '' : ', and it has ended';
    return `${what}${over}${this.complaints ? `; it says: ${this.complaints.trim()}` : ''}`;
  }
}
