// Measures what a broker object does, by the extension interface alone, and hands the numbers to an outlet. Per message it
// adds to numbers that are there; everything else happens when somebody collects.

import { RabbitError } from '../errors/errors.js';
import { thrownName } from '../errors/error-facts.js';
import type { ConsumerStatus } from '../events/broker-status.js';
import type { BrokerCounters } from '../events/events.js';
import type { DeadLetterReason, Delivery, Verdict } from '../message/delivery.js';
import { HEADER } from '../message/headers.js';
import { lagOf } from '../message/lag.js';
import type { Clock } from '../runtime/clock.js';
import { chain } from '../runtime/maybe-promise.js';
import { type Instrument, METRICS, STATUS_COUNTERS } from './instruments.js';
import {
  type Cell,
  type Labels,
  LabelValues,
  type MetricsSink,
  OTHER,
  type Sample,
  SeriesStore,
} from './metric-series.js';
import type {
  HandlerInfo,
  Plugin,
  PluginHost,
  PublishContext,
  PublishKind,
  PublishNext,
  PublishResult,
} from './plugin.js';

/** Distinct values of a label whose values come from elsewhere: classes of errors, exchanges of others. */
const MOST_VALUES = 50;

/** A higher number of an attempt is shown as `10+`. */
const MOST_ATTEMPTS = 10;

const SYSTEM = { 'messaging.system.name': 'rabbitmq' };

/**
 * A plugin that measures and gives the numbers to `sink`. One plugin for each broker object: it measures from `open` to
 * `close`. `name` is its name among the plugins. The instruments are `INSTRUMENTS`.
 */
export function metrics(sink: MetricsSink, name = 'metrics'): Plugin {
  let recorder: Recorder | undefined;
  return {
    name,
    start(host) {
      if (recorder) throw new Error('it measures another connection already: give each its own');
      recorder = new Recorder(sink, host);
      sink.start(recorder.collect);
    },
    publish: (next) => (context) => recorder?.publish(context, next) ?? next(context),
    delivery(next, info) {
      const handler = recorder?.handler(info);
      if (!handler) return next;
      return (delivery) => {
        handler.began(delivery);
        const began = handler.now();
        return chain(next(delivery), (verdict) => {
          handler.ended(delivery, verdict, began);
          return verdict;
        });
      };
    },
    batch(next, info) {
      const handler = recorder?.handler(info);
      if (!handler) return next;
      return async (deliveries) => {
        for (const delivery of deliveries) handler.began(delivery);
        const began = handler.now();
        const verdicts = await next(deliveries);
        handler.batchEnded(deliveries, verdicts, began);
        return verdicts;
      };
    },
    stop() {
      recorder = undefined;
      sink.stop();
    },
    status: () => ({ series: recorder?.store.size ?? 0 }),
  };
}

/** What one broker object is measured with. */
class Recorder {
  readonly store: SeriesStore;
  private readonly errors = new LabelValues([], MOST_VALUES);
  private readonly exchanges: LabelValues;
  /** Queues of others are all one. */
  private readonly queues: LabelValues;
  private readonly handlers = new LabelValues([], 0);
  private readonly publishes = new Map<PublishKind, Map<string, PublishSeries>>();
  private told: BrokerCounters | undefined;

  constructor(
    sink: MetricsSink,
    private readonly host: PluginHost,
  ) {
    this.store = new SeriesStore(sink, { connection: host.connection });
    this.exchanges = new LabelValues(host.topology.exchanges, MOST_VALUES);
    this.queues = new LabelValues(host.topology.queues, 0);
  }

  handler(info: HandlerInfo): HandlerSeries {
    const { id, queue, temporary, deadQueue } = info;
    this.handlers.know(id);
    // Its name is another one in each process.
    this.queues.know(queue, temporary ? `temporary (${id})` : queue);
    if (deadQueue !== undefined) this.queues.know(deadQueue);
    return new HandlerSeries(this.store, this.errors, this.host.clock, info, this.queues.of(queue));
  }

  publish(context: PublishContext, next: PublishNext): Promise<PublishResult> {
    const series = this.publishSeries(context);
    const { clock } = this.host;
    const began = clock.monotonic();
    return next(context).then(
      (result) => {
        series.succeeded((clock.monotonic() - began) / 1_000, result);
        if (context.kind === 'dead-letter') this.deadLettered(context);
        return result;
      },
      (error: unknown) => {
        series.failed((clock.monotonic() - began) / 1_000, error);
        throw error;
      },
    );
  }

  /** Counts go to the outlet; returns the gauges. */
  readonly collect = (): readonly Sample[] => {
    const { store, told } = this;
    const { counters, connections, consumers, publishing, publishBuffer, pendingCalls, waiting } =
      this.host.status();
    for (const [name, instrument] of Object.entries(STATUS_COUNTERS) as [keyof BrokerCounters, Instrument][])
      store.counter(instrument).value += counters[name] - (told?.[name] ?? 0);
    this.told = counters;
    store.flush();
    const { messages, bytes, limit } = publishBuffer;
    const queues = this.byQueue(consumers);
    return [
      ...connections.flatMap(({ name, state, blocked }) => {
        const labels = { role: name.slice(name.lastIndexOf(':') + 1) };
        return [
          store.sample(METRICS.connectionUp, state === 'open' ? 1 : 0, labels),
          store.sample(METRICS.connectionBlocked, blocked ? 1 : 0, labels),
        ];
      }),
      ...[...queues].flatMap(([queue, { ready, paused, inFlight, running, concurrency, lag }]) => [
        store.sample(METRICS.consumerReady, ready ? 1 : 0, { queue }),
        store.sample(METRICS.consumerPaused, paused ? 1 : 0, { queue }),
        store.sample(METRICS.utilization, share(running, concurrency), { queue }),
        store.sample(METRICS.consumerLag, lag / 1_000, { queue }),
        store.sample(METRICS.inFlight, inFlight, { queue }),
      ]),
      store.sample(METRICS.bufferMessages, messages),
      store.sample(METRICS.bufferBytes, bytes),
      store.sample(METRICS.bufferUsage, Math.max(share(messages, limit.messages), share(bytes, limit.bytes))),
      store.sample(METRICS.unconfirmed, publishing.unconfirmed),
      store.sample(METRICS.pendingCalls, pendingCalls),
      store.sample(METRICS.waiting, waiting.messages),
    ];
  };

  /** Consumers of queues that have one label count together. */
  private byQueue(consumers: readonly ConsumerStatus[]): Map<string, QueueGauges> {
    const queues = new Map<string, QueueGauges>();
    for (const { queue, ready, paused, inFlight, running, concurrency, lag = 0 } of consumers) {
      const label = this.queues.of(queue);
      const same = queues.get(label) ?? NO_CONSUMER;
      queues.set(label, {
        ready: same.ready && ready,
        paused: same.paused || paused !== undefined,
        inFlight: same.inFlight + inFlight,
        running: same.running + running,
        concurrency: same.concurrency + concurrency,
        lag: Math.max(same.lag, lag),
      });
    }
    return queues;
  }

  private publishSeries({ kind, exchange, routingKey }: PublishContext): PublishSeries {
    const destination =
      exchange !== '' ? this.exchanges.of(exchange) : kind === 'reply' ? '' : this.queues.of(routingKey);
    let ofKind = this.publishes.get(kind);
    if (!ofKind) this.publishes.set(kind, (ofKind = new Map<string, PublishSeries>()));
    let series = ofKind.get(destination);
    if (!series)
      ofKind.set(destination, (series = new PublishSeries(this.store, this.errors, kind, destination)));
    return series;
  }

  private deadLettered({ delivery, properties }: PublishContext): void {
    if (!delivery) return;
    const handler = delivery.run.handler < 0 ? NOBODY : this.handlers.of(delivery.handler);
    const given = properties.headers?.[HEADER.reason] as DeadLetterReason;
    const reason = REASONS.includes(given) ? given : OTHER;
    this.store.counter(METRICS.deadLetters, { queue: this.queues.of(delivery.queue), handler, reason })
      .value++;
  }
}

/** What the gauges of a queue are made from. */
interface QueueGauges extends Pick<ConsumerStatus, 'ready' | 'inFlight' | 'running' | 'concurrency'> {
  readonly paused: boolean;
  readonly lag: number;
}

const NO_CONSUMER: QueueGauges = {
  ready: true,
  paused: false,
  inFlight: 0,
  running: 0,
  concurrency: 0,
  lag: 0,
};

/** The handler of messages that none of a queue's handlers is for. */
const NOBODY = 'none';

const REASONS: readonly DeadLetterReason[] = [
  'rejected',
  'attempts-exhausted',
  'not-retryable',
  'undecodable',
  'unmatched',
  'poison',
  'too-large',
];

function share(used: number, limit: number): number {
  return used === 0 ? 0 : used / limit;
}

const CALLS: ReadonlySet<PublishKind> = new Set<PublishKind>(['request', 'stream', 'gather']);

/** What is counted of messages of one kind that go to one destination. */
class PublishSeries {
  private readonly labels: Labels;
  private readonly sent: Cell;
  private readonly duration: (value: number) => void;
  private readonly unrouted: Cell | undefined;

  constructor(
    private readonly store: SeriesStore,
    private readonly errors: LabelValues,
    private readonly kind: PublishKind,
    destination: string,
  ) {
    const to: Labels = destination === '' ? {} : { 'messaging.destination.name': destination };
    this.labels = { ...SYSTEM, 'messaging.operation.name': kind, 'messaging.operation.type': 'send', ...to };
    this.sent = store.counter(METRICS.sentMessages, this.labels);
    this.duration = CALLS.has(kind)
      ? store.histogram(METRICS.callDuration, { call: kind, outcome: 'replied' })
      : store.histogram(METRICS.operationDuration, this.labels);
    if (kind === 'publish') this.unrouted = store.counter(METRICS.unrouted, to);
  }

  succeeded(duration: number, { routed }: PublishResult): void {
    this.sent.value++;
    this.duration(duration);
    if (this.unrouted && !routed) this.unrouted.value++;
  }

  failed(duration: number, error: unknown): void {
    const { store, labels } = this;
    const failed = { ...labels, 'error.type': this.errors.of(thrownName(error)) };
    if (!CALLS.has(this.kind)) {
      store.counter(METRICS.sentMessages, failed).value++;
      store.histogram(METRICS.operationDuration, failed)(duration);
      return;
    }
    const outcome = outcomeOf(error);
    // Else the request had left.
    if (UNSENT.has(outcome)) store.counter(METRICS.sentMessages, failed).value++;
    else this.sent.value++;
    store.histogram(METRICS.callDuration, { call: this.kind, outcome })(duration);
  }
}

/** How calls end, by the codes of their errors. */
const OUTCOMES: ReadonlyMap<unknown, string> = new Map([
  ['WARREN_RPC_TIMEOUT', 'timeout'],
  ['WARREN_RPC_NOT_SENT', 'not-sent'],
  ['WARREN_RPC_REMOTE', 'remote-error'],
  ['WARREN_RPC_NO_SERVER', 'no-server'],
  ['WARREN_RPC_CONNECTION_LOST', 'connection-lost'],
  ['WARREN_CONNECTION_LOST', 'connection-lost'],
  ['WARREN_RPC_CANCELLED', 'cancelled'],
  ['WARREN_RPC_PROTOCOL', 'unreadable'],
  ['WARREN_DECODE', 'unreadable'],
  ['WARREN_TOO_MANY_PENDING_CALLS', 'too-many'],
  ['WARREN_PLUGIN', 'plugin'],
]);

const UNSENT: ReadonlySet<string> = new Set(['not-sent', 'no-server', 'too-many', 'plugin']);

/** A class that both sides registered has any code, or none: it was thrown by the handler. */
function outcomeOf(error: unknown): string {
  const known = error instanceof RabbitError ? OUTCOMES.get(error.code) : undefined;
  return known ?? 'remote-error';
}

/** What is counted of one handler. */
class HandlerSeries {
  private readonly consumed: Cell;
  private readonly attempts: Cell[] = [];
  private readonly verdicts: Readonly<Record<Verdict['kind'], Cell>>;
  private readonly lag: (value: number) => void;
  private readonly own: Labels;
  private readonly labels: Labels;
  private readonly duration: (value: number) => void;

  constructor(
    private readonly store: SeriesStore,
    private readonly errors: LabelValues,
    private readonly clock: Clock,
    { id: handler, deadQueue }: HandlerInfo,
    queue: string,
  ) {
    this.labels = {
      ...SYSTEM,
      'messaging.operation.name': 'process',
      'messaging.operation.type': 'process',
      'messaging.destination.name': queue,
      handler,
    };
    this.own = { queue, handler };
    const { own } = this;
    this.consumed = store.counter(METRICS.consumedMessages, this.labels);
    this.duration = store.histogram(METRICS.processDuration, this.labels);
    this.lag = store.histogram(METRICS.lag, own);
    this.attempt(1);
    const verdict = (kind: Verdict['kind']): Cell =>
      store.counter(METRICS.verdicts, { ...own, verdict: kind });
    this.verdicts = {
      ack: verdict('ack'),
      drop: verdict('drop'),
      retry: verdict('retry'),
      'dead-letter': verdict('dead-letter'),
      requeue: verdict('requeue'),
      open: verdict('open'),
    };
    // There from the beginning: of a series that begins with 1, Prometheus sees no increase.
    if (deadQueue !== undefined)
      for (const reason of REASONS) store.counter(METRICS.deadLetters, { ...own, reason });
  }

  now(): number {
    return this.clock.monotonic();
  }

  began(delivery: Delivery): void {
    this.consumed.value++;
    const { attempt } = delivery;
    this.attempt(Math.min(attempt, MOST_ATTEMPTS)).value++;
    if (attempt > 1) return;
    const late = lagOf(delivery, this.clock);
    if (late !== undefined) this.lag(late);
  }

  ended(delivery: Delivery, verdict: Verdict, began: number): void {
    const decided = this.decided(delivery, verdict);
    this.took(began, 'error' in decided ? decided : undefined);
  }

  batchEnded(deliveries: readonly Delivery[], verdicts: readonly Verdict[], began: number): void {
    let failure: { readonly error: unknown } | undefined;
    deliveries.forEach((delivery, index) => {
      const decided = this.decided(delivery, verdicts[index]);
      if ('error' in decided) failure ??= decided;
    });
    this.took(began, failure);
  }

  private attempt(number: number): Cell {
    const attempt = number < MOST_ATTEMPTS ? String(number) : `${MOST_ATTEMPTS}+`;
    return (this.attempts[number] ??= this.store.counter(METRICS.attempts, { ...this.own, attempt }));
  }

  /** What the handler decided by itself is what counts. */
  private decided(delivery: Delivery, verdict: Verdict): Verdict {
    const decided = delivery.decided ?? verdict;
    this.verdicts[decided.kind].value++;
    return decided;
  }

  private took(began: number, failure: { readonly error: unknown } | undefined): void {
    const duration = (this.clock.monotonic() - began) / 1_000;
    if (failure === undefined) return this.duration(duration);
    const labels = { ...this.labels, 'error.type': this.errors.of(thrownName(failure.error)) };
    this.store.histogram(METRICS.processDuration, labels)(duration);
  }
}
