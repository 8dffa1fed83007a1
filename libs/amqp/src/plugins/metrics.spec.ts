// What is measured, by which labels, and that their number has a bound, without a broker.
import { describe, expect, it } from '@jest/globals';
import { PublishNackedError } from '../errors/publish-errors.js';
import { RpcRemoteError, RpcTimeoutError } from '../errors/rpc-errors.js';
import type { BrokerStatus } from '../events/broker-status.js';
import { counters } from '../events/events.js';
import { ACK, Delivery, type Verdict } from '../message/delivery.js';
import { systemClock } from '../runtime/clock.js';
import { HEADER } from '../message/headers.js';
import type { MessageProperties } from '../message/message.js';
import { INSTRUMENTS, prometheusLabel, prometheusName } from './instruments.js';
import { metrics } from './metrics.js';
import type { Labels, MetricsSink, Sample } from './metric-series.js';
import type {
  HandlerInfo,
  Plugin,
  PluginHost,
  PublishContext,
  PublishKind,
  PublishResult,
} from './plugin.js';

/** An outlet that keeps everything, as `name{label=value,...}`. */
class Kept implements MetricsSink {
  readonly values = new Map<string, number[]>();
  collect: () => readonly Sample[] = () => [];
  stopped = 0;

  add(instrument: { name: string; labels: readonly string[] }, labels: Labels, value: number): void {
    this.into(instrument, labels).push(value);
  }

  series(instrument: { name: string; labels: readonly string[] }, labels: Labels): (value: number) => void {
    const values = this.into(instrument, labels);
    return (value) => void values.push(value);
  }

  start(collect: () => readonly Sample[]): void {
    this.collect = collect;
  }

  stop(): void {
    this.collect();
    this.stopped++;
  }

  /** Sums of counters and gauges, and the number of values of histograms, that are not 0. */
  read(): Record<string, number> {
    for (const { instrument, labels, value } of this.collect()) this.into(instrument, labels).push(value);
    const histograms = new Set(
      INSTRUMENTS.filter(({ kind }) => kind === 'histogram').map(({ name }) => name),
    );
    return Object.fromEntries(
      [...this.values]
        .map(([key, values]): [string, number] => [
          key,
          histograms.has(key.split('{')[0]) ? values.length : values.reduce((sum, value) => sum + value, 0),
        ])
        .filter(([, value]) => value !== 0),
    );
  }

  private into(
    { name, labels: known }: { name: string; labels: readonly string[] },
    labels: Labels,
  ): number[] {
    for (const label of Object.keys(labels)) expect(known).toContain(label);
    const shown = Object.entries(labels)
      .filter(([label]) => !/^(connection|messaging\.(system\.name|operation\.type))$/.test(label))
      .map(([label, value]) => `${label}=${value}`);
    const key = `${name}{${shown.join(',')}}`;
    let values = this.values.get(key);
    if (!values) this.values.set(key, (values = []));
    return values;
  }
}

const unchanged = {
  paused: undefined,
  breaker: undefined,
  prefetch: 32,
  concurrency: 32,
  rate: undefined,
  running: 8,
  lag: 1_500,
};

const status: BrokerStatus = {
  at: 0,
  connections: [
    {
      name: 'shop:publish',
      state: 'open',
      blocked: true,
      blockedSince: 1,
      notOpenSince: undefined,
      lastError: undefined,
    },
  ],
  consumers: [
    {
      queue: 'orders',
      handlers: [],
      ready: true,
      notReadySince: undefined,
      lastError: undefined,
      inFlight: 3,
      ...unchanged,
    },
    {
      queue: 'shop.x1',
      handlers: [],
      ready: false,
      notReadySince: 1,
      lastError: 'x',
      inFlight: 0,
      ...unchanged,
    },
  ],
  publishing: { unconfirmed: 2, waiting: 0 },
  publishBuffer: { messages: 5, bytes: 70, limit: { messages: 10, bytes: 100 } },
  waiting: { messages: 4, nextDue: undefined, queues: [] },
  pendingCalls: 6,
  timers: 0,
  closing: false,
  counters: counters(),
  plugins: {},
};

function started(changes: Partial<BrokerStatus> = {}): { sink: Kept; plugin: Plugin; host: PluginHost } {
  const sink = new Kept();
  const plugin = metrics(sink);
  const host: PluginHost = {
    service: 'shop',
    connection: 'default',
    clock: systemClock,
    logger: { log: () => undefined, warn: () => undefined, error: () => undefined },
    on: () => () => undefined,
    status: () => ({ ...status, ...changes }),
    fleet: { answer: () => () => undefined },
    topology: { exchanges: ['shop.events'], queues: ['orders', 'orders.dead'] },
  };
  void plugin.start?.(host);
  return { sink, plugin, host };
}

const handler: HandlerInfo = {
  id: 'Orders.place',
  service: 'shop',
  kind: 'consume',
  queue: 'orders',
  temporary: false,
  patterns: [],
  batch: false,
  attempts: 3,
  deadQueue: 'orders.dead',
  options: undefined,
};

function delivery(properties: MessageProperties = {}, exchange = 'shop.events'): Delivery {
  const message = {
    content: Buffer.alloc(0),
    exchange,
    routingKey: 'orders',
    redelivered: false,
    deliveryTag: 1,
    properties,
  };
  const made = new Delivery(message, 'orders', { settle: () => undefined, warn: () => undefined });
  made.handler = 'Orders.place';
  made.run.handler = 0;
  return made;
}

const publishing = (kind: PublishKind, exchange: string, routingKey: string, more: object = {}) =>
  ({ kind, exchange, routingKey, properties: {}, ...more }) as unknown as PublishContext;

async function publish(
  plugin: Plugin,
  context: PublishContext,
  outcome: () => Promise<PublishResult> = () => Promise.resolve({ messageId: 'm', routed: true }),
): Promise<void> {
  await plugin
    .publish?.(outcome)(context)
    .catch(() => undefined);
}

const refused = (error: unknown) => (): Promise<never> => Promise.reject(error);

async function handle(plugin: Plugin, given: Delivery, verdict: Verdict, info = handler): Promise<void> {
  await plugin.delivery?.(() => verdict, info)(given);
}

describe('metrics of publishes', () => {
  it('count and time each kind by its destination, and failures by the class of their error', async () => {
    const { sink, plugin } = started();
    await publish(plugin, publishing('publish', 'shop.events', 'order.1'));
    await publish(plugin, publishing('publish', 'shop.events', 'order.2'), () =>
      Promise.resolve({ messageId: 'm', routed: false }),
    );
    await publish(
      plugin,
      publishing('send', '', 'orders'),
      refused(new PublishNackedError('', 'orders', 'm')),
    );
    await publish(plugin, publishing('reply', '', 'amq.gen-1'));
    expect(sink.read()).toMatchObject({
      'messaging.client.sent.messages{messaging.operation.name=publish,messaging.destination.name=shop.events}': 2,
      'messaging.client.operation.duration{messaging.operation.name=publish,messaging.destination.name=shop.events}': 2,
      'warren.publish.unrouted{messaging.destination.name=shop.events}': 1,
      'messaging.client.sent.messages{messaging.operation.name=send,messaging.destination.name=orders,error.type=PublishNackedError}': 1,
      'messaging.client.operation.duration{messaging.operation.name=send,messaging.destination.name=orders,error.type=PublishNackedError}': 1,
      'messaging.client.sent.messages{messaging.operation.name=reply}': 1,
    });
  });

  it('time calls by their outcome, and count requests that left as sent', async () => {
    const { sink, plugin } = started();
    const request = publishing('request', '', 'prices');
    await publish(plugin, request);
    await publish(plugin, request, refused(new RpcTimeoutError('', 'prices', 5, 'c')));
    await publish(plugin, request, refused(new RpcRemoteError('A', 'b', undefined, undefined)));
    await publish(plugin, request, refused(new (class NoSuchPrice extends Error {})('c')));
    expect(sink.read()).toMatchObject({
      'warren.call.duration{call=request,outcome=replied}': 1,
      'warren.call.duration{call=request,outcome=timeout}': 1,
      'warren.call.duration{call=request,outcome=remote-error}': 2,
      'messaging.client.sent.messages{messaging.operation.name=request,messaging.destination.name=other}': 4,
    });
  });

  it('count dead letters by reason when they are where they belong', async () => {
    const { sink, plugin } = started();
    await handle(plugin, delivery(), ACK);
    const properties = { headers: { [HEADER.reason]: 'rejected' } };
    const dead = publishing('dead-letter', '', 'orders.dead', { delivery: delivery(), properties });
    await publish(plugin, dead, refused(new Error('away')));
    await publish(plugin, dead);
    expect(sink.read()).toMatchObject({
      'warren.dead_letters{queue=orders,handler=Orders.place,reason=rejected}': 1,
    });
    // Those that did not happen are there as well, as 0: else the first one is no increase.
    expect([...sink.values.keys()].filter((key) => key.startsWith('warren.dead_letters'))).toHaveLength(7);
  });
});

describe('metrics of deliveries', () => {
  it('count attempts and verdicts, and time handlers, failures by the class of their error', async () => {
    const { sink, plugin } = started();
    await handle(plugin, delivery(), ACK);
    await handle(plugin, delivery(), { kind: 'retry', after: 1, attempt: 2, error: new TypeError('x') });
    expect(sink.read()).toMatchObject({
      'messaging.client.consumed.messages{messaging.operation.name=process,messaging.destination.name=orders,handler=Orders.place}': 2,
      'warren.handler.attempts{queue=orders,handler=Orders.place,attempt=1}': 2,
      'warren.handler.verdicts{queue=orders,handler=Orders.place,verdict=ack}': 1,
      'warren.handler.verdicts{queue=orders,handler=Orders.place,verdict=retry}': 1,
      'messaging.process.duration{messaging.operation.name=process,messaging.destination.name=orders,handler=Orders.place}': 1,
      'messaging.process.duration{messaging.operation.name=process,messaging.destination.name=orders,handler=Orders.place,error.type=TypeError}': 1,
    });
  });

  it('time a batch once and count each of its messages', async () => {
    const { sink, plugin } = started();
    const around = plugin.batch?.(() => Promise.resolve([ACK, { kind: 'drop' }]), {
      ...handler,
      batch: true,
    });
    await around?.([delivery(), delivery()]);
    expect(sink.read()).toMatchObject({
      'messaging.process.duration{messaging.operation.name=process,messaging.destination.name=orders,handler=Orders.place}': 1,
      'warren.handler.attempts{queue=orders,handler=Orders.place,attempt=1}': 2,
      'warren.handler.verdicts{queue=orders,handler=Orders.place,verdict=drop}': 1,
    });
  });

  it('measure the lag of fresh messages with a timestamp, in seconds or milliseconds, never below 0', async () => {
    const { sink, plugin } = started();
    const now = Date.now();
    const lags = async (...given: Delivery[]): Promise<number[]> => {
      const values = sink.values.get('warren.delivery.lag{queue=orders,handler=Orders.place}');
      values?.splice(0);
      for (const each of given) await handle(plugin, each, ACK);
      return sink.values.get('warren.delivery.lag{queue=orders,handler=Orders.place}') ?? [];
    };
    const ago = (ms: number): number => Math.floor((now - ms) / 1_000);
    const [seconds, ms, ahead] = await lags(
      delivery({ timestamp: ago(60_000) }),
      delivery({ timestamp: now - 60_000 }),
      delivery({ timestamp: ago(-60_000) }),
    );
    for (const lag of [seconds, ms]) expect(Math.round(lag / 10)).toBe(6);
    expect(ahead).toBe(0);
    const timestamp = ago(0);
    const waited = [{ [HEADER.move]: 'x' }, { [HEADER.replayed]: 1 }];
    const retried = { [HEADER.queue]: 'orders', [HEADER.attempt]: 1 };
    const silent = await lags(
      delivery(),
      ...waited.map((headers) => delivery({ timestamp, headers })),
      delivery({ timestamp, headers: retried }, ''),
    );
    expect(silent).toEqual([]);
  });
});

describe('gauges and counters of the broker object', () => {
  it('are read when somebody collects, counters as what was added since', () => {
    const changing = { ...counters(), reconnects: 2 };
    const { sink, plugin } = started({ counters: changing });
    plugin.delivery?.(() => ACK, { ...handler, id: 'Prices.changed', queue: 'shop.x1', temporary: true });
    expect(sink.read()).toMatchObject({
      'warren.connection.up{role=publish}': 1,
      'warren.connection.blocked{role=publish}': 1,
      'warren.consumer.ready{queue=orders}': 1,
      'warren.in_flight{queue=orders}': 3,
      'warren.consumer.utilization{queue=orders}': 0.25,
      'warren.consumer.lag{queue=orders}': 1.5,
      'warren.publish.buffer.messages{}': 5,
      'warren.publish.buffer.size{}': 70,
      'warren.publish.buffer.usage{}': 0.7,
      'warren.publish.unconfirmed{}': 2,
      'warren.call.pending{}': 6,
      'warren.retry.waiting{}': 4,
      'warren.connection.reconnects{}': 2,
    });
    expect([...sink.values.keys()]).toContain('warren.consumer.ready{queue=temporary (Prices.changed)}');
    sink.values.clear();
    expect(sink.read()).not.toHaveProperty('warren.connection.reconnects{}');
  });

  it('a plugin measures one broker object at a time, and again after it was closed', () => {
    const { sink, plugin, host } = started();
    expect(() => plugin.start?.(host)).toThrow(/another connection already/);
    void plugin.stop?.();
    expect(sink.stopped).toBe(1);
    void plugin.start?.(host);
    expect(plugin.status?.()).toEqual({ series: 0 });
  });

  it('nothing is counted before the start, and publishes go their way', async () => {
    const sink = new Kept();
    const plugin = metrics(sink);
    await publish(plugin, publishing('publish', 'shop.events', 'order.1'));
    await handle(plugin, delivery(), ACK);
    expect(sink.read()).toEqual({});
  });
});

describe('the number of series', () => {
  it('has a bound, whatever routing keys, queues, exchanges and classes of errors there are', async () => {
    const { sink, plugin } = started();
    const around = plugin.delivery?.((given) => given.payload as Verdict, handler);
    for (let index = 0; index < 2_000; index++) {
      const error = Object.assign(new Error('x'), { name: `Error${index}` });
      await publish(plugin, publishing('publish', 'shop.events', `key.${index}`));
      await publish(plugin, publishing('publish', `exchange.${index}`, 'key'));
      await publish(plugin, publishing('send', '', `queue.${index}`));
      await publish(plugin, publishing('request', '', `pattern.${index}`), refused(error));
      await publish(plugin, publishing('reply', '', `amq.gen-${index}`));
      await publish(plugin, publishing('publish', 'shop.events', 'key'), refused(error));
      const given = delivery({ messageId: `m${index}`, headers: { [HEADER.attempt]: index } });
      given.payload = { kind: 'dead-letter', reason: 'rejected', error };
      await around?.(given);
    }
    const read = sink.read();
    const all = Object.keys(read).join('\n');
    expect(all).not.toMatch(/key\.|queue\.|pattern\.|amq\.gen|m1\b/);
    const distinct = (pattern: RegExp): number =>
      new Set([...all.matchAll(pattern)].map(([found]) => found)).size;
    expect(distinct(/exchange\.\d+/g)).toBe(50);
    expect(distinct(/error\.type=Error\d+/g)).toBe(50);
    expect(all).toMatch(/error\.type=other/);
    expect(all).toMatch(/messaging\.operation\.name=publish,messaging\.destination\.name=other\}/);
    expect((plugin.status?.() as { series: number }).series).toBeLessThan(400);
  });
});

describe('the table of instruments', () => {
  it('has names that Prometheus takes, each once, as OpenTelemetry maps them', () => {
    const names = INSTRUMENTS.map(prometheusName);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^(warren|messaging)_[a-z_]+$/);
    expect(names).toEqual(
      expect.arrayContaining([
        'messaging_client_operation_duration_seconds',
        'messaging_client_sent_messages_total',
        'warren_publish_buffer_size_bytes',
        'warren_publish_buffer_usage_ratio',
        'warren_consumer_ready',
      ]),
    );
    expect(prometheusLabel('messaging.destination.name')).toBe('messaging_destination_name');
  });
});
