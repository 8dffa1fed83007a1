// Rates of counters over the last five to ten seconds; there is a value from the first request on.
import type { Numbers } from './counted.js';

/** Milliseconds between two notes of where counters stand. */
const INTERVAL = 5_000;

interface Note {
  readonly at: number;
  readonly values: Numbers;
}

const startTimer = setInterval;
const stopTimer = clearInterval;
const now = performance.now.bind(performance);

export class Rates {
  private readonly notes = new WeakMap<object, { older: Note; newer: Note }>();
  private readonly timer: NodeJS.Timeout;
  private readonly begun = now();

  constructor(
    /** All that is counted at the moment: the object it is about, and where it stands. */
    private readonly all: () => Iterable<readonly [object, Numbers]>,
  ) {
    this.timer = startTimer(() => this.note(), INTERVAL);
    this.timer.unref();
  }

  stop(): void {
    stopTimer(this.timer);
  }

  /** The numbers of a thing that are named, with their rates beside them as RabbitMQ nests them. */
  withRates(thing: object, numbers: Numbers, names: readonly string[]): Record<string, unknown> {
    return Object.fromEntries(
      names.flatMap((name): [string, unknown][] => [
        [name, numbers[name]],
        [`${name}_details`, { rate: this.rate(thing, name, numbers[name]) }],
      ]),
    );
  }

  /** The same under `message_stats`, which is not there while all numbers are 0. */
  stats(
    thing: object,
    numbers: Numbers,
    ...groups: readonly (readonly string[])[]
  ): { message_stats?: object } {
    const names = groups.filter((group) => group.some((name) => numbers[name] > 0)).flat();
    return names.length === 0 ? {} : { message_stats: this.withRates(thing, numbers, names) };
  }

  /** Units a second. */
  private rate(thing: object, name: string, value: number): number {
    const { at, values } = this.notes.get(thing)?.older ?? { at: this.begun, values: {} };
    const seconds = Math.max(now() - at, INTERVAL) / 1000;
    return Math.round(((value - (values[name] ?? 0)) / seconds) * 10) / 10;
  }

  private note(): void {
    const at = now();
    for (const [thing, values] of this.all()) {
      const newer = { at, values };
      this.notes.set(thing, { older: this.notes.get(thing)?.newer ?? newer, newer });
    }
  }
}
