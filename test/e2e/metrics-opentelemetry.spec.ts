// Metrics by OpenTelemetry: the same instruments as for Prometheus, through a real SDK.
import { expect, it } from '@jest/globals';
import { metrics as api } from '@opentelemetry/api';
import {
  MeterProvider,
  MetricReader,
  type HistogramMetricData,
  type MetricData,
} from '@opentelemetry/sdk-metrics';
import { INSTRUMENTS, Reject } from '@warren/amqp';
import { openTelemetryMetrics } from '@warren/opentelemetry';
import { onEachBroker } from '../support/brokers.js';
import { taken, warren } from '../support/warren.js';

/** Collects when it is asked. */
class Reader extends MetricReader {
  protected onForceFlush(): Promise<void> {
    return Promise.resolve();
  }

  protected onShutdown(): Promise<void> {
    return Promise.resolve();
  }

  /** All metrics by their names. */
  async read(): Promise<ReadonlyMap<string, MetricData>> {
    const { resourceMetrics, errors } = await this.collect();
    expect(errors).toEqual([]);
    const all = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
    return new Map(all.map((metric) => [metric.descriptor.name, metric]));
  }
}

onEachBroker('metrics by OpenTelemetry', (broker) => {
  it('have the names, units and buckets of the table, and count what happens, up to the end', async () => {
    const reader = new Reader();
    const meterProvider = new MeterProvider({ readers: [reader] });
    const rabbit = await warren(broker.url, { plugins: [openTelemetryMetrics({ meterProvider })] })
      .consume('metered', ({ payload }) => (payload === 'bad' ? Promise.reject(Reject('no')) : undefined))
      .rpc('metered.call', () => 1)
      .open();
    await rabbit.broker.send('metered', 'good');
    await rabbit.broker.send('metered', 'bad');
    await rabbit.broker.request('metered.call', 0);
    await taken(broker, 'metered.dead');

    const first = await reader.read();
    expect(first.get('warren.connection.up')?.dataPoints.length).toBeGreaterThan(1);
    await rabbit.broker.close();
    const all = await reader.read();
    const points = (name: string) =>
      (all.get(name)?.dataPoints ?? []).map(({ attributes, value }) => ({ ...attributes, value }));

    expect(points('warren.handler.verdicts')).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ handler: 'metered', verdict: 'ack', value: 1, connection: 'default' }),
        expect.objectContaining({ handler: 'metered', verdict: 'dead-letter', value: 1 }),
        expect.objectContaining({ handler: 'metered.call', verdict: 'ack', value: 1 }),
      ]),
    );
    expect(points('warren.dead_letters').filter(({ value }) => value !== 0)).toEqual([
      expect.objectContaining({ queue: 'metered', reason: 'rejected', value: 1 }),
    ]);
    for (const { name, kind, unit, buckets } of INSTRUMENTS) {
      const metric = all.get(name) ?? first.get(name);
      if (!metric) continue;
      expect([name, metric.descriptor.unit]).toEqual([name, unit]);
      if (kind !== 'histogram') continue;
      const [{ value }] = (metric as HistogramMetricData).dataPoints;
      expect([name, value.buckets.boundaries]).toEqual([name, buckets]);
    }
    const known = new Set(INSTRUMENTS.map(({ name }) => name));
    expect([...first.keys()].filter((name) => !known.has(name))).toEqual([]);
    // Every gauge and every kind of event that happened is there.
    expect([...first.keys()]).toEqual(
      expect.arrayContaining([
        ...INSTRUMENTS.filter(({ kind, name }) => kind === 'gauge' && name.startsWith('warren.publish')).map(
          ({ name }) => name,
        ),
        'messaging.client.operation.duration',
        'messaging.process.duration',
        'warren.call.duration',
      ]),
    );
    await meterProvider.shutdown();
  });

  it('go to the global meter provider when none is given, and nowhere without an SDK', async () => {
    const rabbit = await warren(broker.url, { plugins: [openTelemetryMetrics()] })
      .consume('unmetered', () => 1)
      .open();
    await rabbit.broker.send('unmetered', 1);
    await rabbit.broker.close();
    const reader = new Reader();
    const provider = new MeterProvider({ readers: [reader] });
    api.setGlobalMeterProvider(provider);
    const other = await warren(broker.url, { plugins: [openTelemetryMetrics()] }).open();
    await other.broker.publish('nobody.wants.it', 1);
    expect((await reader.read()).get('messaging.client.sent.messages')?.dataPoints).toHaveLength(1);
    await other.broker.close();
    api.disable();
  });

  it('go to a provider that is set up between the plugin and the connection', async () => {
    // As the option of `forRoot` in a file that is loaded before `main.ts` starts the SDK.
    const plugin = openTelemetryMetrics();
    const reader = new Reader();
    api.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
    const rabbit = await warren(broker.url, { plugins: [plugin] }).open();
    await rabbit.broker.publish('nobody.wants.it', 1);
    const read = await reader.read();
    expect(read.get('messaging.client.sent.messages')?.dataPoints).toHaveLength(1);
    expect(read.get('warren.connection.up')?.dataPoints.length).toBeGreaterThan(0);
    await rabbit.broker.close();
    api.disable();
  });
});
