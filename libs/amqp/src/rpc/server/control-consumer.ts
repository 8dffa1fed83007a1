import type { LiveChannel } from '../../connection/channel.js';
import type { Connection } from '../../connection/connection.js';
import { RecoveringChannel } from '../../connection/recovering-channel.js';
import { CALLS_EXCHANGE, callsKey, controlQueueName, readControl } from '../../message/call-control.js';
import type { Clock } from '../../runtime/clock.js';
import { describeError, printable } from '../../runtime/logger.js';
import type { Settings } from '../../options/settings.js';
import { declareError } from '../../topology/declare-error.js';
import type { HandlerPlan } from '../../topology/handler-plan.js';
import type { BindingSpec } from '../../topology/specs.js';
import type { ActiveCalls } from './active-calls.js';
import { errorFields } from '../../errors/error-facts.js';

/** What it is made from. */
export interface ControlConsumerOptions {
  readonly connection: Connection;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly calls: ActiveCalls;
  readonly handlers: readonly HandlerPlan[];
}

/** A flood of control messages must not fill the broker: the oldest concern calls that ended long ago. */
const QUEUE_LIMIT = 10_000;

/**
 * The queue of this process in which callers say that they left, or that a stream may send more. It goes
 * with its connection and comes back under another name; what was said in between was about calls that were
 * lost as well.
 */
export class ControlConsumer {
  private readonly recovering: RecoveringChannel;
  private readonly begun: Promise<void>;
  private begin = (): void => undefined;
  private warned = false;
  private onlyLooks = false;

  constructor(private readonly options: ControlConsumerOptions) {
    const { connection, clock, settings, calls } = options;
    this.begun = new Promise((resolve) => (this.begin = resolve));
    this.recovering = new RecoveringChannel({
      connection,
      clock,
      kind: 'plain',
      reconnect: settings.reconnect,
      setup: (channel) => this.setUp(channel),
      onReady: () => this.begin(),
      onLost: () => (calls.controlQueue = ''),
      onFailed: (error) => this.onFailed(error),
    });
  }

  /** Resolves when callers can reach this process for the first time, or when that failed once: calls go on without. */
  start(): Promise<void> {
    this.recovering.start();
    return this.begun;
  }

  /** Whether the exchange over which callers come is this process's to declare. */
  get isDeclaring(): boolean {
    return this.options.calls.controlQueue !== '' && !this.onlyLooks;
  }

  /** Its bindings, while it has a queue. */
  temporary(): BindingSpec[] {
    const { calls, handlers } = this.options;
    if (!this.isDeclaring) return [];
    const destination = { kind: 'queue' as const, name: calls.controlQueue };
    return keysOf(handlers).map((key) => ({
      source: CALLS_EXCHANGE,
      destination,
      key,
      arguments: {},
      declaredBy: 'calls',
    }));
  }

  /** Binds the keys of handlers that were added. Never rejects: without them no cancel comes, and the check binds them. */
  async bind(): Promise<void> {
    const { connection, calls, handlers } = this.options;
    if (!this.isDeclaring) return;
    const bindAll = async (channel: LiveChannel['declaring']): Promise<void> => {
      for (const key of keysOf(handlers)) await channel.bindQueue(calls.controlQueue, CALLS_EXCHANGE, key);
    };
    await connection.withChannel(bindAll).catch(() => undefined);
  }

  /** Always settles. */
  close(): Promise<void> {
    this.begin();
    return this.recovering.close();
  }

  private async setUp(channel: LiveChannel): Promise<void> {
    const { settings, calls, handlers } = this.options;
    const name = controlQueueName(settings.service);
    const { declaring } = channel;
    // A user without permission to declare it may still use it.
    if (this.onlyLooks) await declaring.checkExchange(CALLS_EXCHANGE);
    else await declaring.assertExchange(CALLS_EXCHANGE, 'topic', { durable: true });
    await declaring.assertQueue(name, {
      exclusive: true,
      autoDelete: true,
      durable: false,
      arguments: { 'x-max-length': QUEUE_LIMIT },
    });
    for (const key of keysOf(handlers)) await declaring.bindQueue(name, CALLS_EXCHANGE, key);
    await channel.consume(name, { noAck: true }, (message) => {
      if (message === 'cancelled') return this.recovering.renew();
      const control = readControl(message.content);
      if (control) calls.onControl(control);
    });
    calls.controlQueue = name;
    calls.unreachable = false;
  }

  // Calls are answered without it as well; only cancels do not arrive, and nothing is streamed.
  private onFailed(error: unknown): void {
    this.begin();
    const refused = FINAL.has((error as { code?: unknown } | undefined)?.code);
    if (refused && !this.onlyLooks) {
      this.onlyLooks = true;
      return;
    }
    if (refused) {
      this.options.calls.unreachable = true;
      this.onlyLooks = false;
      this.recovering.rest();
    }
    if (this.warned) return;
    this.warned = true;
    const asked = { what: 'exchange' as const, name: CALLS_EXCHANGE, declaredBy: 'calls' };
    this.options.settings.logger.warn(
      `this process does not receive cancellations from callers: ${printable(describeError(declareError(error, asked)))}`,
      { event: 'cancellations-not-received', ...errorFields(error) },
    );
  }
}

/** Not allowed, not there, made otherwise, not bindable: mostly only a person changes that. */
const FINAL = new Set<unknown>([403, 404, 406]);

function keysOf(handlers: readonly HandlerPlan[]): string[] {
  return [...new Set(handlers.flatMap(keysOfHandler))];
}

function keysOfHandler({ registration, queue, routes }: HandlerPlan): string[] {
  if (registration.kind !== 'rpc') return [];
  const keys = routes.map(({ exchange, type, key }) => {
    // Other types look at other things than the key, or at parts of it.
    const byKey = type === 'direct' || type === 'topic' || (type === undefined && key !== '');
    return byKey ? callsKey(exchange, key) : `${exchange}.#`;
  });
  return [callsKey('', queue.name), ...keys].filter((key) => key !== undefined);
}
