// Turns what an application publishes into a message: defaults, codec, checks, destination. A missing exchange is
// found before anything is sent, since publishing to it closes the channel and loses other messages.

import { milliseconds, type Duration } from '../options/duration.js';
import { PublishOutcomeUnknownError, UnroutableError } from '../errors/publish-errors.js';
import { TopologyMissingError } from '../errors/topology-errors.js';
import { outgoing, type KeptQueue, type MessageForwarder } from '../message/outgoing.js';
import type { Clock } from '../runtime/clock.js';
import type { CodecLookup } from '../message/codecs/codec.js';
import type { Delivery } from '../message/delivery.js';
import { currentDelivery, inheritance, inheritedHeaders } from '../message/current-delivery.js';
import type { OutgoingMessage } from '../message/message.js';
import type { PublishOptions, PublishReceipt } from '../options/publish-options.js';
import { type ReturnRoute, HEADER } from '../message/headers.js';
import type { Settings } from '../options/settings.js';
import type { Plugins } from '../plugins/plugins.js';
import type { PublishResult } from '../plugins/plugin.js';
import type { Events } from '../events/emitter.js';
import { waitName, waitStep } from '../topology/retry-topology.js';
import { ConnectionLostError, RabbitError } from '../errors/errors.js';
import {
  ownTimeout,
  type SendLimits,
  type SendResult,
  PendingPublish,
  unroutable,
  UNHEARD,
} from './pending-send.js';
import type { ExchangeCache } from './exchange-cache.js';
import type { Server } from '../message/direct-reply.js';
import type { Sender } from './sender.js';

/** Dependencies. */
export interface PublisherOptions {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly codecs: CodecLookup;
  readonly senders: Senders;
  readonly exchangeCache: ExchangeCache;
  readonly events: Events;
  readonly plugins: Plugins;
  /** Shortens waits in tests. */
  readonly shortenWait: (ms: number) => number;
}

/** The options of one publish. */
interface PublishWay {
  readonly limits: SendLimits;
  readonly delay: Duration | undefined;
  readonly mustRoute: boolean;
  readonly template: string | undefined;
}

/** What a frame with properties holds besides them: its own head and end, class, size of the body, flags. */
const HEADER_FRAME = 22;

/** Publishing, for applications and (as MessageForwarder) for the consuming side. */
export class Publisher implements MessageForwarder {
  readonly codecs: CodecLookup;

  constructor(readonly options: PublisherOptions) {
    this.codecs = options.codecs;
  }

  get maxPropertyBytes(): number {
    return this.options.senders.main.frameMax - HEADER_FRAME;
  }

  /** To an exchange. `template`: of the routing key, if it has one. */
  publish(
    routingKey: string,
    payload: unknown,
    options: PublishOptions = {},
    template?: string,
  ): Promise<PublishReceipt> {
    const exchange = options.exchange ?? this.options.settings.exchange;
    const mustRoute = options.mandatory ?? exchange === '';
    return this.dispatch(exchange, routingKey, payload, options, mustRoute, template);
  }

  /** To a queue. */
  send(message: OutgoingMessage): Promise<void>;
  send(queue: string, payload: unknown, options?: PublishOptions): Promise<PublishReceipt>;
  send(target: string | OutgoingMessage, payload?: unknown, options: PublishOptions = {}): Promise<unknown> {
    if (typeof target !== 'string') return this.forward(target);
    return this.dispatch('', target, payload, options, options.mandatory ?? true);
  }

  async forwarded(
    kind: 'retry' | 'dead-letter',
    message: OutgoingMessage,
    delivery: Delivery,
    send: (message: OutgoingMessage) => Promise<void>,
  ): Promise<void> {
    const { plugins, settings } = this.options;
    if (plugins.none) return send(message);
    const messageId = message.properties.messageId ?? '';
    await plugins.publish({ kind, message, delivery, timeout: ownTimeout(settings) }, async (changed) => {
      await send(changed);
      return { messageId, routed: true };
    });
  }

  async sendTo(queue: KeptQueue, message: OutgoingMessage): Promise<void> {
    const { senders, exchangeCache } = this.options;
    await this.again(
      () => this.forward(message),
      () => senders.main.hold(message, this.ownLimits(), () => exchangeCache.ensureKept(queue)),
    );
  }

  async sendLater(message: OutgoingMessage, wait: number, back: ReturnRoute): Promise<void> {
    const { exchangeCache: destinations, senders } = this.options;
    const { routingKey } = message;
    if (back.kind === 'retry' && !destinations.isBack(routingKey)) {
      await senders.main.hold(message, this.ownLimits(), () => destinations.ensureBack(routingKey));
    }
    const send = async (): Promise<void> =>
      this.forward(await this.delayed(message, wait, back, this.ownLimits()));
    await this.again(send, () => destinations.forgetWait(this.stepOf(wait), back));
  }

  build(exchange: string, routingKey: string, payload: unknown, options: PublishOptions): OutgoingMessage {
    const { settings, codecs, clock } = this.options;
    const handled = currentDelivery.getStore();
    const inherited = handled && inheritance(handled, settings);
    const about = { exchange, routingKey, correlationId: options.correlationId };
    return outgoing(
      {
        exchange,
        routingKey,
        persistent: settings.publish.persistent,
        mandatory: true,
        timestamp: clock.wall(),
        appId: settings.service,
        maxBytes: settings.maxMessageBytes,
        correlationId: inherited?.correlationId,
        headers: inherited && inheritedHeaders(inherited, options.headers),
      },
      codecs.encode(payload, options.contentType, options.codec, about),
      options,
    );
  }

  // A single promise for all of it: promises cost more than the rest of a publish.
  private dispatch(
    exchange: string,
    routingKey: string,
    payload: unknown,
    options: PublishOptions,
    mustRoute: boolean,
    template?: string,
  ): Promise<PublishReceipt> {
    return new Promise((resolve, reject) => {
      const { events, plugins } = this.options;
      // A message that cannot be created is the caller's mistake: it is not reported elsewhere.
      const message = this.build(exchange, routingKey, payload, options);
      const publication = new PendingPublish(events, message, payload, mustRoute, resolve, reject);
      try {
        const limits = this.limits(options);
        const { delay } = options;
        if (plugins.none) this.begin(message, limits, delay, mustRoute, publication);
        else {
          const way: PublishWay = { limits, delay, mustRoute, template };
          this.plugged(exchange === '' ? 'send' : 'publish', message, payload, way, publication);
        }
      } catch (error) {
        publication.onFailed(error as Error);
      }
    });
  }

  begin(
    message: OutgoingMessage,
    limits: SendLimits,
    delay: Duration | undefined,
    mustRoute: boolean,
    result: SendResult,
  ): void {
    const { senders, exchangeCache: destinations } = this.options;
    const { exchange } = message;
    if (delay === undefined && (exchange === '' || destinations.isKnown(exchange))) {
      senders.of(message).send(message, limits, result);
      return;
    }
    this.prepared(message, limits, delay, mustRoute).then(
      (prepared) => senders.of(prepared).send(prepared, limits, result),
      (error: Error) => result.onFailed(error),
    );
  }

  plugged(
    kind: 'publish' | 'send',
    message: OutgoingMessage,
    payload: unknown,
    way: PublishWay,
    publication: PendingPublish,
  ): void {
    const { plugins } = this.options;
    const send = (changed: OutgoingMessage): Promise<PublishResult> =>
      new Promise((resolve, reject) => {
        const inner = new PendingPublish(UNHEARD, changed, payload, way.mustRoute, resolve, reject);
        this.begin(changed, way.limits, way.delay, way.mustRoute, inner);
      });
    const { limits, template } = way;
    plugins.publish({ kind, message, payload, template, timeout: limits.given }, send).then(
      ({ routed, resent = 0, nacked = 0 }) => publication.onSent(routed, resent, nacked),
      (error: Error) => publication.onFailed(error),
    );
  }

  /** The message, once the exchange and the wait queue that it needs exist. */
  private async prepared(
    message: OutgoingMessage,
    limits: SendLimits,
    wait: Duration | undefined,
    mustRoute: boolean,
  ): Promise<OutgoingMessage> {
    const { senders, exchangeCache: destinations } = this.options;
    const { exchange, routingKey, properties } = message;
    const delay = wait === undefined ? 0 : milliseconds(wait, 'delay');
    // A name that is too long must be known before anything is sent.
    if (delay > 0) waitName(this.options.settings.service, this.stepOf(delay), { kind: 'delay', exchange });
    if (!destinations.isKnown(exchange)) {
      await senders.main.hold(message, limits, () => destinations.ensure(exchange));
    }
    if (delay === 0) return message;
    if (exchange === '') {
      await senders.main.hold(message, limits, () => {
        return this.queueReady(routingKey, mustRoute ? properties.messageId : undefined);
      });
    }
    return this.delayed(message, delay, { kind: 'delay', exchange }, limits);
  }

  limits({ timeout, signal, retryUnknown, retryNacked }: PublishOptions = {}): SendLimits {
    const { clock, settings } = this.options;
    const { publish } = settings;
    const given = timeout === undefined ? publish.timeout : milliseconds(timeout, 'timeout');
    const nacked = retryNacked === undefined ? publish.retryNacked : milliseconds(retryNacked, 'retryNacked');
    return {
      end: clock.monotonic() + given,
      given,
      signal,
      retryUnknown: retryUnknown ?? publish.retryUnknown,
      retryNacked: nacked,
    };
  }

  /** The same message, addressed to a wait queue. */
  private async delayed(
    message: OutgoingMessage,
    wait: number,
    back: ReturnRoute,
    limits: SendLimits,
  ): Promise<OutgoingMessage> {
    const { exchangeCache: destinations, senders } = this.options;
    const step = this.stepOf(wait);
    if (!destinations.isWaiting(step, back)) {
      await senders.main.hold(message, limits, async () => void (await destinations.ensureWait(step, back)));
    }
    const { properties } = message;
    const headers = { ...properties.headers, [HEADER.due]: this.options.clock.wall() + step };
    return {
      ...message,
      exchange: waitName(this.options.settings.service, step, back),
      properties: { ...properties, headers },
    };
  }

  private stepOf(wait: number): number {
    return waitStep(this.options.shortenWait(wait));
  }

  /** A message that must arrive, and whose target was deleted: sent once more after `mend`. */
  private async again(send: () => Promise<void>, mend: () => void | Promise<void>): Promise<void> {
    try {
      await send();
    } catch (error) {
      // Publishing to an exchange that is gone costs the channel, so that the outcome is unknown.
      if (!(error instanceof UnroutableError || error instanceof PublishOutcomeUnknownError)) throw error;
      await mend();
      await send();
    }
  }

  // A delayed message is routed much later, when a missing queue cannot be reported to the caller.
  private async queueReady(queue: string, messageId: string | undefined): Promise<void> {
    const { exchangeCache: destinations } = this.options;
    try {
      if (messageId !== undefined) await destinations.ensureQueue(queue);
    } catch (error) {
      throw error instanceof TopologyMissingError ? new UnroutableError('', queue, messageId ?? '') : error;
    }
    if (destinations.isBack(queue)) return;
    try {
      await destinations.ensureBack(queue);
    } catch (error) {
      // A queue of another service may not be ours to bind: its messages that no process forwards become unroutable
      // retries.
      if (!(error instanceof RabbitError) || error instanceof ConnectionLostError) throw error;
      destinations.notOurs(queue);
    }
  }

  /** For messages that must arrive: a missing queue or exchange is an error. */
  private forward(message: OutgoingMessage): Promise<void> {
    return new Promise((resolve, reject) => {
      const onSent = (routed: boolean): void => (routed ? resolve() : reject(unroutable(message)));
      this.options.senders.of(message).send(message, this.ownLimits(), { onSent, onFailed: reject });
    });
  }

  private ownLimits(): SendLimits {
    const { clock, settings } = this.options;
    const given = ownTimeout(settings);
    // Without retryUnknown the original would come again, and double it as well.
    return {
      end: clock.monotonic() + given,
      given,
      retryUnknown: true,
      retryNacked: settings.publish.retryNacked,
    };
  }
}

/** Dependencies. */
export interface SendersOptions {
  readonly make: () => Sender;
  /** Queues of this process that are streams, as far as they are known by then. */
  readonly streams: ReadonlySet<string>;
  /** The broker at the other end. */
  readonly server: () => Server;
}

/**
 * The senders of a connection. When the leader of a stream changes, RabbitMQ 3 writes unconfirmed messages again under the
 * confirm numbers of their channel. When these are ahead of what the channel wrote to the stream, because it publishes to other
 * queues too, the new leader takes all that follows for repetitions: it confirms them and drops them. On a channel that
 * publishes to this stream alone, the numbers are the same.
 */
export class Senders {
  /** For everything but streams. */
  readonly main: Sender;
  private readonly streams = new Map<string, Sender>();

  constructor(private readonly options: SendersOptions) {
    this.main = options.make();
  }

  of({ exchange, routingKey }: Pick<OutgoingMessage, 'exchange' | 'routingKey'>): Sender {
    if (exchange !== '' || !this.options.streams.has(routingKey)) return this.main;
    let own = this.streams.get(routingKey);
    if (own === undefined) {
      const { product, version } = this.options.server();
      // Before the first connection nobody knows; and no message overtakes another by changing the channel later.
      if (product !== '' && (product !== 'RabbitMQ' || version[0] >= 4)) return this.main;
      own = this.options.make();
      this.streams.set(routingKey, own);
    }
    return own;
  }

  get pending(): Sender['pending'] {
    const all = this.all.map(({ pending }) => pending);
    return { unconfirmed: sum(all, 'unconfirmed'), waiting: sum(all, 'waiting') };
  }

  /** What waits in all of them; `limit` is that of each. */
  get buffer(): Pick<Sender['buffer'], 'size' | 'bytes' | 'limit'> {
    const all = this.all.map(({ buffer }) => buffer);
    return { size: sum(all, 'size'), bytes: sum(all, 'bytes'), limit: this.main.buffer.limit };
  }

  unblocked(): void {
    for (const sender of this.all) sender.unblocked();
  }

  async close(expired: Promise<void>): Promise<void> {
    await Promise.all(this.all.map((sender) => sender.close(expired)));
  }

  private get all(): Sender[] {
    return [this.main, ...this.streams.values()];
  }
}

function sum<K extends string>(all: readonly Readonly<Record<K, number>>[], key: K): number {
  return all.reduce((total, each) => total + each[key], 0);
}
