// The instruments of the library in a registry of prom-client: made once for each registry, fed by all broker objects of
// the process, also of applications that were closed and started again.

import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
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
  private readonly histograms = new Map<string, Histogram>();
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
        this.registry.registerMetric(made);
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
    const series = this.histograms.get(name)?.labels(shown(labels));
    return (value) => series?.observe(value);
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
    else this.histograms.set(name, new Histogram({ ...options, buckets: [...(buckets ?? [])] }));
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
