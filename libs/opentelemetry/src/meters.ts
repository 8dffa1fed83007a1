// The outlet for metrics: what Warren measures, as instruments of an OpenTelemetry meter.

import {
  createNoopMeter,
  metrics as api,
  type Counter,
  type Meter,
  type MeterProvider,
  type ObservableGauge,
} from '@opentelemetry/api';
import type { BatchObservableResult } from '@opentelemetry/api';
import {
  INSTRUMENTS,
  metrics,
  type Instrument,
  type Labels,
  type MetricsSink,
  type Plugin,
  type Sample,
} from '@warren/amqp';
import { VERSION } from './open-telemetry.js';

/** Options of `openTelemetryMetrics()`. */
export interface OpenTelemetryMetricsOptions {
  /** Where the meter comes from. Default: the global meter provider. */
  readonly meterProvider?: MeterProvider;
}

/**
 * Metrics by OpenTelemetry: `plugins: [openTelemetryMetrics()]` in the options of a connection. Each connection gets a plugin of
 * its own; the attribute `connection` tells them apart. docs/metrics.md has the instruments, with their buckets as advice
 * for the SDK. Numbers go to the SDK that the application has set up when the connection opens; without one nothing happens.
 */
export function openTelemetryMetrics({ meterProvider }: OpenTelemetryMetricsOptions = {}): Plugin {
  return metrics(new MeterSink(meterProvider ?? api), 'opentelemetry-metrics');
}

/** The instruments of one broker object. A meter gives the same instrument to all that ask for its name. */
class MeterSink implements MetricsSink {
  private readonly counters = new Map<string, Counter>();
  private readonly gauges = new Map<string, ObservableGauge>();
  private meter: Meter = createNoopMeter();
  private source: (() => readonly Sample[]) | undefined;

  constructor(private readonly provider: Pick<MeterProvider, 'getMeter'>) {}

  add({ name, unit, meaning: description }: Instrument, labels: Labels, value: number): void {
    let counter = this.counters.get(name);
    if (!counter) this.counters.set(name, (counter = this.meter.createCounter(name, { unit, description })));
    counter.add(value, labels);
  }

  series({ name, unit, meaning: description, buckets }: Instrument, labels: Labels): (value: number) => void {
    const advice = { explicitBucketBoundaries: [...(buckets ?? [])] };
    const histogram = this.meter.createHistogram(name, { unit, description, advice });
    return (value) => histogram.record(value, labels);
  }

  start(collect: () => readonly Sample[]): void {
    this.source = collect;
    // Not earlier: unlike a tracer, a meter from before the SDK was set up measures nothing for ever.
    this.meter = this.provider.getMeter('@warren/opentelemetry', VERSION);
    this.counters.clear();
    for (const { name, kind, unit, meaning: description } of INSTRUMENTS) {
      if (kind === 'gauge')
        this.gauges.set(name, this.meter.createObservableGauge(name, { unit, description }));
    }
    this.meter.addBatchObservableCallback(this.observe, [...this.gauges.values()]);
  }

  stop(): void {
    this.meter.removeBatchObservableCallback(this.observe, [...this.gauges.values()]);
    // Counts what was not collected; its gauges are gone from now on.
    this.source?.();
    this.source = undefined;
  }

  // Runs before the SDK reads the counters, to which `source` adds.
  private readonly observe = (result: BatchObservableResult): void => {
    for (const { instrument, labels, value } of this.source?.() ?? []) {
      const gauge = this.gauges.get(instrument.name);
      if (gauge) result.observe(gauge, value, labels);
    }
  };
}
