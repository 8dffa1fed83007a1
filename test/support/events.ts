// Waiting in tests: for a condition, for an event, for so many messages, always for a bounded time and always
// with an error that says what did not come. The only place where a test polls.
import type { EventEmitter } from 'node:events';

/** How long a test waits for what must happen, in milliseconds. Generous: two busy cores run everything. */
export const PATIENCE = 30_000;

const POLL = 10;

/** Waits until `condition` gives something true, and returns it. `what` completes "waited for ...". */
export async function until<T>(
  condition: () => T | Promise<T>,
  what: string,
  limit = PATIENCE,
): Promise<Exclude<T, false | undefined | null | 0 | ''>> {
  const end = performance.now() + limit;
  for (;;) {
    const value = await condition();
    if (value) return value as Exclude<T, false | undefined | null | 0 | ''>;
    if (performance.now() > end) throw new Error(`Waited ${limit} ms in vain for ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}

/** The promise, or an error that says what was missing when it does not settle in time. */
export async function within<T>(promise: Promise<T>, what: string, limit = PATIENCE): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Waited ${limit} ms in vain for ${what}.`)), limit);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The first argument of the emitter's next event of that name. An 'error' event is a value here, not a throw. */
export function nextEvent<T = unknown>(
  emitter: EventEmitter,
  event: string,
  what = `the event '${event}'`,
  limit = PATIENCE,
): Promise<T> {
  let listener: ((value: T) => void) | undefined;
  const arrived = new Promise<T>((resolve) => emitter.once(event, (listener = resolve)));
  return within(arrived, what, limit).finally(() => listener && emitter.off(event, listener));
}

/** Gathers what a callback receives; tests take it in order. */
export class Collector<T> {
  /** Everything that has come so far, taken or not. */
  readonly all: T[] = [];
  readonly #what: string;
  readonly #changed = new Set<() => void>();
  #taken = 0;

  constructor(what = 'values') {
    this.#what = what;
  }

  /** Pass it as a callback; it needs no `this`. */
  readonly push = (value: T): void => {
    this.all.push(value);
    for (const changed of this.#changed) changed();
  };

  /** How many have come so far. */
  get size(): number {
    return this.all.length;
  }

  /** The next `count` values, in order; rejects with what is there when they do not come in time. */
  async take(count: number, limit = PATIENCE): Promise<T[]> {
    const from = this.#taken;
    this.#taken += count;
    await this.#reach(from + count, limit);
    return this.all.slice(from, from + count);
  }

  /** The next value. */
  async one(limit = PATIENCE): Promise<T> {
    const [value] = (await this.take(1, limit)) as [T];
    return value;
  }

  async #reach(size: number, limit: number): Promise<void> {
    if (this.all.length >= size) return;
    let changed: (() => void) | undefined;
    const reached = new Promise<void>((resolve) => {
      changed = () => this.all.length >= size && resolve();
      this.#changed.add(changed);
    });
    try {
      await within(reached, 'more', limit);
    } catch {
      throw new Error(`Waited ${limit} ms for ${size} ${this.#what}, only ${this.all.length} came.`);
    } finally {
      if (changed) this.#changed.delete(changed);
    }
  }
}

/** A collector; `what` names its values in errors, in the plural. */
export function collector<T>(what?: string): Collector<T> {
  return new Collector<T>(what);
}
