// The instruments of the library in a registry of prom-client: made once for each registry, fed by all broker objects of
// the process, also of applications that were closed and started again.

import {
  Counter,
  Gauge,
  type Histogram,
  type MetricObjectWithValues,
  type MetricValueWithName,
  type Registry,
} from 'prom-client';
import {
  INSTRUMENTS,
  type Instrument,
  type Labels,
  type MetricsSink,
  prometheusLabel,
  prometheusName,
  type Sample,
} from '@warren/amqp';

type Collect = () => readonly Sample[];

/** Broker objects with a collector, and the metrics that show their numbers. */
export class RegistryMetrics {
  private readonly counters = new Map<string, Counter>();
  private readonly gauges = new Map<string, Gauge>();
  private readonly histograms = new Map<string, FastHistogram>();
  private readonly sources = new Set<Collect>();
  private fresh = false;

  constructor(private readonly registry: Registry) {}

  /** Puts into the registry what is not there: everything at first, and again after `registry.clear()`. */
  register(): void {
    for (const instrument of INSTRUMENTS) {
      const { name } = instrument;
      const made = this.counters.get(name) ?? this.gauges.get(name) ?? this.histograms.get(name);
      if (made === undefined) this.make(instrument);
      else if (this.registry.getSingleMetric(prometheusName(instrument)) === undefined) {
        made.reset();
        this.registry.registerMetric(made as Counter);
      }
    }
  }

  add(source: Collect): void {
    this.register();
    this.sources.add(source);
  }

  /** Counts what is left; its gauges are gone from then on. */
  remove(source: Collect): void {
    if (this.sources.delete(source)) this.count(source);
  }

  increase({ name }: Instrument, labels: Labels, value: number): void {
    this.counters.get(name)?.inc(shown(labels), value);
  }

  series({ name }: Instrument, labels: Labels): (value: number) => void {
    return this.histograms.get(name)?.series(shown(labels)) ?? (() => undefined);
  }

  private make(instrument: Instrument): void {
    const { name, kind, meaning, labels, buckets } = instrument;
    const options = {
      name: prometheusName(instrument),
      help: meaning,
      labelNames: labels.map(prometheusLabel),
      registers: [this.registry],
      collect: () => this.collect(),
    };
    if (kind === 'counter') this.counters.set(name, new Counter(options));
    else if (kind === 'gauge') this.gauges.set(name, new Gauge(options));
    else {
      const histogram = new FastHistogram(options.name, meaning, buckets ?? []);
      this.histograms.set(name, histogram);
      this.registry.registerMetric(histogram as unknown as Histogram);
    }
  }

  /** prom-client asks every metric, one after the other: the first one does it for all. */
  private collect(): void {
    if (this.fresh) return;
    this.fresh = true;
    queueMicrotask(() => (this.fresh = false));
    for (const gauge of this.gauges.values()) gauge.reset();
    for (const source of this.sources) {
      for (const { instrument, labels, value } of this.count(source))
        this.gauges.get(instrument.name)?.inc(shown(labels), value);
    }
  }

  /** Nothing that fails here may keep the application from showing its own metrics. */
  private count(source: Collect): readonly Sample[] {
    try {
      return source();
    } catch {
      return [];
    }
  }
}

/** One set of labels of a histogram. */
interface Distribution {
  readonly labels: Readonly<Record<string, string>>;
  /** Values at most as large as each bound, and larger than the one before; then those above all bounds. */
  counts: number[];
  sum: number;
}

/**
 * A histogram of a registry. That of prom-client looks its series up by a text of all labels for each value, which costs more
 * than all other measuring of a message.
 */
class FastHistogram {
  readonly type = 'histogram';
  readonly aggregator = 'sum';
  private readonly all = new Map<string, Distribution>();

  constructor(
    readonly name: string,
    readonly help: string,
    private readonly bounds: readonly number[],
  ) {}

  series(labels: Readonly<Record<string, string>>): (value: number) => void {
    const key = JSON.stringify(labels);
    let found = this.all.get(key);
    if (!found) this.all.set(key, (found = { labels, counts: this.zeros(), sum: 0 }));
    const distribution = found;
    const { bounds } = this;
    return (value) => {
      let at = 0;
      while (at < bounds.length && value > bounds[at]) at++;
      distribution.counts[at]++;
      distribution.sum += value;
    };
  }

  /** As every metric of prom-client. */
  get(): Promise<MetricObjectWithValues<MetricValueWithName<string>>> {
    const { name, help, aggregator, all } = this;
    const values = [...all.values()].flatMap((each) => this.valuesOf(each));
    return Promise.resolve({ name, help, aggregator, values, type: 'histogram' } as never);
  }

  reset(): void {
    for (const each of this.all.values()) {
      each.counts = this.zeros();
      each.sum = 0;
    }
  }

  private valuesOf({ labels, counts, sum }: Distribution): MetricValueWithName<string>[] {
    let count = 0;
    const buckets = counts.map((inside, index) => {
      count += inside;
      const le = index < this.bounds.length ? String(this.bounds[index]) : '+Inf';
      return { metricName: `${this.name}_bucket`, labels: { le, ...labels }, value: count };
    });
    return [
      ...buckets,
      { metricName: `${this.name}_sum`, labels: { ...labels }, value: sum },
      { metricName: `${this.name}_count`, labels: { ...labels }, value: count },
    ];
  }

  private zeros(): number[] {
    return Array.from({ length: this.bounds.length + 1 }, () => 0);
  }
}

function shown(labels: Labels): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [prometheusLabel(name), value]));
}

/** The outlet of one broker object. */
export class RegistrySink implements MetricsSink {
  private source: Collect = () => [];

  constructor(private readonly metrics: RegistryMetrics) {}

  add(instrument: Instrument, labels: Labels, value: number): void {
    this.metrics.increase(instrument, labels, value);
  }

  series(instrument: Instrument, labels: Labels): (value: number) => void {
    return this.metrics.series(instrument, labels);
  }

  start(collect: Collect): void {
    this.source = collect;
    this.metrics.add(collect);
  }

  stop(): void {
    this.metrics.remove(this.source);
  }
}
