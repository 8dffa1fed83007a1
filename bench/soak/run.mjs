// A soak run: two instances of a service and a producer work for a long time while a seed decides what goes wrong; then
// everything is made well, what is left is waited for, and the book is made up.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { connect } from 'amqplib';
import { randomOf } from '../peers/faults/schedule.mjs';
import { account, journals } from './book.mjs';
import { Brokers, PASSWORD } from './brokers.mjs';
import { QUEUES } from './plan.mjs';

/**
 * @typedef {'service' | 'producer'} Role
 * @typedef {Awaited<ReturnType<Brokers['line']>>} Line
 * @typedef {import('node:child_process').ChildProcess & { expected?: boolean }} Child
 * @typedef {{ folder: string, seed: number, rate: number, outage: number, say: (line: string) => void, brokers: Brokers }} RunOptions
 */

/**
 * A fault: `loss` when something may come again after it, `rare` ones are done less often; `cluster` are those of a cluster
 * alone, or of a single node alone.
 *
 * @typedef {{ act: (run: Run) => unknown, loss?: boolean, rare?: boolean, cluster?: boolean }} Fault
 */

const now = () => Number(process.hrtime.bigint() / 1_000n) / 1_000;
/** A producer waits for its publishes and calls before it closes. */
const END_LIMIT = 40_000;
const START_LIMIT = 180_000;
/** Looks, a second apart, that must all find the queues empty. */
const TICKS = 6;
/** More than any queue holds. */
const MOST_LEFT = 1_000_000;
/** Longer than the three minutes after which RabbitMQ's dead lettering tries again what a restart took from it. */
const LIMIT_OF_REST = 260_000;

/**
 * Resolves with `{ figures, broken, folder }`. `say` gets a line for each thing that happens.
 *
 * @param {{ minutes: number, seed: number, rate: number, size: number, outage: number, keep?: boolean,
 *   say?: (line: string) => void }} options
 */
export async function soak({ minutes, seed, rate, size, outage, keep = false, say = () => {} }) {
  const folder = mkdtempSync(join(tmpdir(), 'warren-soak-'));
  const run = new Run({ folder, seed, rate, outage, say, brokers: await Brokers.start({ size }) });
  try {
    say(`RabbitMQ ${await run.brokers.version()}`);
    await run.start();
    await run.play(minutes * 60_000);
    const left = await run.rest();
    const { figures, broken } = account({
      lines: journals(folder),
      left,
      losses: run.losses,
      secret: PASSWORD,
    });
    return { figures: { ...figures, faults: run.count }, broken: [...run.broken, ...broken], folder };
  } finally {
    await run.stop();
    if (!keep) rmSync(folder, { recursive: true, force: true });
  }
}

class Run {
  /** @type {import('./book.mjs').Loss[]} */
  losses = [];
  /** @type {string[]} */
  broken = [];
  /** @type {Record<string, number>} */
  count = {};
  #began = now();
  #lives = 0;
  /** @type {Map<string, Child>} */
  #children = new Map();
  #lines = /** @type {Record<Role, Line>} */ ({});
  #out = false;

  /** @param {RunOptions} options */
  constructor({ folder, seed, rate, outage, say, brokers }) {
    this.folder = folder;
    this.seed = seed;
    this.rate = rate;
    this.outage = outage;
    this.say = say;
    this.brokers = brokers;
    this.random = randomOf(this.seed);
    this.dependency = join(this.folder, 'dependency-is-away');
  }

  async start() {
    this.#lines = { service: await this.brokers.line(), producer: await this.brokers.line() };
    for (const name of ['service-1', 'service-2']) this.#begin(name, 'service');
    // The queues must be there before the first message, as a deployment would see to it.
    await this.#untilStarted('service-1');
    this.#begin('producer', 'producer');
    await this.#until(
      () => journals(this.folder).some(({ handled }) => handled !== undefined),
      START_LIMIT,
      'the first message',
    );
  }

  /**
   * Faults until the time is over; the dependency is away for `outage` in the middle of it.
   *
   * @param {number} length
   */
  async play(length) {
    const end = now() + length;
    const away = this.#awayFor(length);
    while (now() < end) {
      await pause(1_500 + this.random() * 5_000);
      if (now() >= end) break;
      const names = Object.keys(FAULTS).filter((name) => FAULTS[name].cluster !== !this.brokers.isCluster);
      const name = names[Math.floor(this.random() * names.length)];
      if (FAULTS[name].rare && this.random() > 0.4) continue;
      await this.#strike(name, FAULTS[name]);
    }
    await away;
  }

  /** @param {string} what @param {Fault} fault */
  async #strike(what, { act, loss = true }) {
    const from = now();
    this.count[what] = (this.count[what] ?? 0) + 1;
    this.say(`${((from - this.#began) / 1_000).toFixed(0).padStart(5)} s  ${what}`);
    await act(this);
    if (loss) this.losses.push({ from, to: now(), what });
  }

  /** @param {number} length */
  async #awayFor(length) {
    if (this.outage === 0) return;
    await pause(Math.max(1_000, (length - this.outage) / 3));
    this.say(
      `${((now() - this.#began) / 1_000).toFixed(0).padStart(5)} s  the dependency is away for ${this.outage / 1_000} s`,
    );
    writeFileSync(this.dependency, '');
    await pause(this.outage);
    rmSync(this.dependency);
    this.say(`${((now() - this.#began) / 1_000).toFixed(0).padStart(5)} s  the dependency is back`);
  }

  /** Everything well again: waits until nothing moves any more, ends the processes, and reads what is left. */
  async rest() {
    await this.end('producer');
    /** @param {readonly import('./brokers.mjs').Queue[]} queues */
    const busy = (queues) =>
      queues.filter(
        ({ name, messages }) =>
          messages > 0 &&
          !name.endsWith('.dead') &&
          name !== QUEUES.stream &&
          !/orphans|unroutable/.test(name),
      );
    const end = now() + LIMIT_OF_REST;
    for (let empty = 0; ;) {
      const waiting = busy(await this.brokers.queues());
      empty = waiting.length === 0 ? empty + 1 : 0;
      // A node that was restarted counts the messages of a quorum queue as 0 until its next tick, after five seconds.
      if (empty > TICKS) break;
      if (now() > end) {
        this.broken.push(
          `still waiting: ${waiting.map(({ name, messages }) => `${name} ${messages}`).join(', ')}`,
        );
        break;
      }
      await pause(1_000);
    }
    for (const name of [...this.#children.keys()]) await this.end(name);
    const queues = await this.brokers.queues();
    const expiring = queues.filter(
      (queue) =>
        JSON.stringify(queue.arguments).includes('x-expires') && /retry|delay|wait|dead/.test(queue.name),
    );
    for (const { name } of expiring) this.broken.push(`the queue '${name}' can expire with what is in it`);
    return leftIn(
      this.brokers.urls[0],
      queues.filter(({ name }) => name !== QUEUES.stream),
    );
  }

  /** @param {string} name @param {Role} role */
  #begin(name, role) {
    const life = ++this.#lives;
    const settings = {
      ...{
        role,
        name,
        url: this.#lines[role].urls,
        dependency: this.dependency,
        rate: this.rate,
        seed: this.seed,
      },
      journal: join(this.folder, `${name}-${life}.journal`),
    };
    /** @type {Child} */
    const child = fork(join(import.meta.dirname, 'worker.mjs'), [JSON.stringify(settings)], {
      execArgv: ['--expose-gc'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    child.expected = false;
    child.once('exit', (code, signal) => {
      if (!child.expected) this.broken.push(`${name} ended by itself (${code ?? signal})`);
    });
    this.#children.set(name, child);
  }

  /**
   * Asks a process to end, and sees to it.
   *
   * @param {string} name
   */
  async end(name) {
    const child = this.#children.get(name);
    this.#children.delete(name);
    if (!child) return;
    child.expected = true;
    const over = once(child, 'exit');
    child.kill('SIGTERM');
    const inTime = await Promise.race([over.then(() => true), pause(END_LIMIT, false, { ref: false })]);
    if (!inTime) {
      this.broken.push(`${name} did not end within ${END_LIMIT / 1_000} s`);
      child.kill('SIGKILL');
      await over;
    }
  }

  /**
   * A deployment, or with SIGKILL a crash: the instance ends, another takes its place.
   *
   * @param {'SIGTERM' | 'SIGKILL'} signal
   */
  async replace(signal) {
    const names = [...this.#children.keys()].filter((name) => name !== 'producer');
    const name = names[Math.floor(this.random() * names.length)];
    const child = this.#children.get(name);
    if (signal === 'SIGTERM') await this.end(name);
    else if (child) {
      child.expected = true;
      const over = once(child, 'exit');
      child.kill('SIGKILL');
      await over;
    }
    this.#begin(name, 'service');
  }

  /** @param {Role} [role] */
  line(role) {
    return this.#lines[role ?? (this.random() < 0.5 ? 'service' : 'producer')];
  }

  /** @param {string} name */
  async #untilStarted(name) {
    const ready = () => journals(this.folder).some(({ started }) => started === name);
    await this.#until(ready, START_LIMIT, `${name} to start`);
    await pause(3_000);
  }

  /** @param {() => boolean} condition @param {number} limit @param {string} what */
  async #until(condition, limit, what) {
    const end = now() + limit;
    while (!condition()) {
      if (now() > end) throw new Error(`${what} did not come within ${limit / 1_000} s`);
      await pause(200);
    }
  }

  async stop() {
    if (this.#out) return;
    this.#out = true;
    for (const child of this.#children.values()) {
      child.expected = true;
      child.kill('SIGKILL');
    }
    for (const line of Object.values(this.#lines)) await line.close().catch(() => {});
    await this.brokers.stop();
  }
}

/** @param {'cut' | 'cutInside'} act @returns {Fault} */
const line = (act) => ({ act: (run) => run.line()[act]() });
/** @type {Record<string, Fault>} */
const FAULTS = {
  'a line is cut': line('cut'),
  'a line is cut inside a frame': line('cutInside'),
  'a line is silent for 6 s': {
    act: async (run) => {
      const silent = run.line();
      silent.silence();
      await pause(6_000);
      silent.speak();
      silent.cut();
    },
  },
  'nobody there for 4 s': {
    act: async (run) => {
      const away = run.line();
      away.refuse(true);
      away.cut();
      await pause(4_000);
      away.refuse(false);
    },
  },
  'an instance is deployed anew': { loss: false, act: (run) => run.replace('SIGTERM') },
  'another instance is deployed anew': { loss: false, act: (run) => run.replace('SIGTERM') },
  'an instance is killed': { act: (run) => run.replace('SIGKILL') },
  'connections closed by an operator': { rare: true, act: (run) => run.brokers.closeConnections() },
  'memory alarm for 5 s': {
    rare: true,
    act: (run) => run.brokers.alarm(5_000),
  },
  'broker restarted': { rare: true, cluster: false, act: (run) => run.brokers.restart({ crash: false }) },
  'broker killed': { rare: true, cluster: false, act: (run) => run.brokers.restart({ crash: true }) },
  'broker frozen for 3 s': { act: (run) => run.brokers.freeze(3_000, Math.floor(run.random() * 3)) },
  'a node is killed, and back after 10 s': {
    rare: true,
    cluster: true,
    act: (run) => run.brokers.restart({ crash: true, which: Math.floor(run.random() * 3), away: 10_000 }),
  },
  'a node is restarted': {
    rare: true,
    cluster: true,
    act: (run) => run.brokers.restart({ crash: false, which: Math.floor(run.random() * 3) }),
  },
};

/**
 * What lies in queues at the end: `[{ n, queue, reason }]`.
 *
 * @param {string} url
 * @param {readonly { name: string }[]} queues
 */
async function leftIn(url, queues) {
  const connection = await connect(url, { noDelay: true });
  connection.on('error', () => {});
  /** @type {import('./book.mjs').Left[]} */
  const left = [];
  try {
    for (const { name } of queues) {
      const channel = await connection.createChannel();
      channel.on('error', () => {});
      for (let i = 0; i < MOST_LEFT; i++) {
        // A queue of a process that has just ended may be gone, or still be locked.
        const message = await channel.get(name, { noAck: true }).catch(() => undefined);
        if (!message) break;
        const { n } = JSON.parse(message.content.toString());
        const { headers = {} } = message.properties;
        const reason = headers['x-warren-reason'] ?? headers['x-first-death-reason'] ?? 'unknown';
        left.push({ n, queue: name, reason: String(reason) });
      }
      await channel.close().catch(() => {});
    }
  } finally {
    await connection.close().catch(() => {});
  }
  return left;
}
