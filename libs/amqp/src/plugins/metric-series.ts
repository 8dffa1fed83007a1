// Where numbers are kept between collections, and the bounds of labels: what grows with the number of messages must not
// grow with what senders put into them.

import type { Instrument } from './instruments.js';

/** Values of the labels of a series. */
export type Labels = Readonly<Record<string, string>>;

/** The value of one series of a gauge. */
export interface Sample {
  readonly instrument: Instrument;
  readonly labels: Labels;
  readonly value: number;
}

/** Where the numbers of one broker object go: an outlet for a monitoring system. Must not throw. */
export interface MetricsSink {
  /** Adds to a counter, by 0 when the series begins. Called while something is collected, not for each message. */
  add(instrument: Instrument, labels: Labels, value: number): void;
  /** Returns what takes the values of one series of a histogram: asked once for each, then called for each message. */
  series(instrument: Instrument, labels: Labels): (value: number) => void;
  /** The broker object starts. `collect` calls `add` for everything since the last time, and returns the gauges. */
  start(collect: () => readonly Sample[]): void;
  /** It has stopped: `collect` one last time, then forget it. */
  stop(): void;
}

/** Replaces the values of a label beyond its limit. */
export const OTHER = 'other';

const LONGEST = 120;

/** Values of a label: those that are known, and so many others, first come, first served. */
export class LabelValues {
  private readonly values = new Map<string, string>();

  constructor(
    known: Iterable<string>,
    private left: number,
  ) {
    for (const value of known) this.know(value);
  }

  /** Lets it in, whatever the bound, shown as `shown`. */
  know(value: string, shown = value): void {
    this.values.set(value, shown.slice(0, LONGEST));
  }

  of(value: string): string {
    const shown = this.values.get(value);
    if (shown !== undefined) return shown;
    if (this.left === 0) return OTHER;
    this.left--;
    this.know(value);
    return value.slice(0, LONGEST);
  }
}

/** A series of a counter. */
export interface Cell {
  /** Since the last collection. */
  value: number;
}

interface Series extends Cell {
  readonly instrument: Instrument;
  readonly labels: Labels;
  told: boolean;
}

/** Counts of one broker object, and the way to its histograms. Each series is there once. */
export class SeriesStore {
  private readonly counters = new Map<string, Series>();
  private readonly histograms = new Map<string, (value: number) => void>();

  /** `shared` are labels of every series. */
  constructor(
    private readonly sink: MetricsSink,
    private readonly shared: Labels,
  ) {}

  get size(): number {
    return this.counters.size + this.histograms.size;
  }

  counter(instrument: Instrument, labels: Labels = {}): Cell {
    const key = keyOf(instrument, labels);
    let series = this.counters.get(key);
    if (!series) {
      series = { instrument, labels: { ...this.shared, ...labels }, value: 0, told: false };
      this.counters.set(key, series);
    }
    return series;
  }

  histogram(instrument: Instrument, labels: Labels): (value: number) => void {
    const key = keyOf(instrument, labels);
    let record = this.histograms.get(key);
    if (!record) {
      record = this.sink.series(instrument, { ...this.shared, ...labels });
      this.histograms.set(key, record);
    }
    return record;
  }

  sample(instrument: Instrument, value: number, labels: Labels = {}): Sample {
    return { instrument, value, labels: { ...this.shared, ...labels } };
  }

  /** Hands over what was counted since the last time. */
  flush(): void {
    for (const series of this.counters.values()) {
      const { instrument, labels, value, told } = series;
      if (value === 0 && told) continue;
      series.value = 0;
      series.told = true;
      this.sink.add(instrument, labels, value);
    }
  }
}

function keyOf({ name }: Instrument, labels: Labels): string {
  return JSON.stringify([name, labels]);
}
