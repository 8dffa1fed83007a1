// What an application publishes becomes a message here: defaults, codec, checks, where it goes. Missing
// exchanges are found out before the wire, since publishing to one costs the channel and its neighbours.

import { randomUUID } from 'node:crypto';
import { milliseconds, type Duration } from '../model/duration.js';
import { PublishOutcomeUnknownError, UnroutableError } from '../model/publish-errors.js';
import { TopologyMissingError } from '../model/topology-errors.js';
import { outgoing } from '../model/outgoing.js';
import type { Clock } from '../model/clock.js';
import type { CodecLookup } from '../model/codec.js';
import type { OutgoingMessage } from '../model/message.js';
import type { PublishOptions, PublishReceipt } from '../model/publish-options.js';
import type { KeptQueue, Outlet } from '../model/outlet.js';
import type { WayBack } from '../model/way-back.js';
import type { Settings } from '../model/settings.js';
import type { PublishOutcome } from '../observe/events.js';
import type { Events } from '../observe/listeners.js';
import { waitExchange, waitStep } from '../topology/wait-queues.js';
import type { SendLimits } from './attempt.js';
import type { Destinations } from './destinations.js';
import { outcomeOf } from './outcome.js';
import type { Sender } from './sender.js';

/** What a publisher is made from. */
export interface PublisherOptions {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly codecs: CodecLookup;
  readonly sender: Sender;
  readonly destinations: Destinations;
  readonly events: Events;
  /** Tests wait shorter. */
  readonly shortenWait: (ms: number) => number;
}

/** What a frame with properties holds besides them: its own head and end, class, size of the body, flags. */
const HEADER_FRAME = 22;

/** Publishing, for applications and (as Outlet) for the consuming side. */
export class Publisher implements Outlet {
  constructor(private readonly options: PublisherOptions) {}

  get codecs(): CodecLookup {
    return this.options.codecs;
  }

  get propertyRoom(): number {
    return this.options.sender.frameMax - HEADER_FRAME;
  }

  /** To an exchange. */
  async publish(routingKey: string, payload: unknown, options: PublishOptions = {}): Promise<PublishReceipt> {
    const exchange = options.exchange ?? this.options.settings.exchange;
    const message = this.build(exchange, routingKey, payload, options, true);
    return this.dispatch(message, payload, options, options.mandatory ?? exchange === '');
  }

  /** To a queue. */
  async send(message: OutgoingMessage): Promise<void>;
  async send(queue: string, payload: unknown, options?: PublishOptions): Promise<PublishReceipt>;
  async send(
    target: string | OutgoingMessage,
    payload?: unknown,
    options: PublishOptions = {},
  ): Promise<unknown> {
    if (typeof target !== 'string') return this.forward(target, this.options.settings.publish.timeout);
    const message = this.build('', target, payload, options, true);
    return this.dispatch(message, payload, options, options.mandatory ?? true);
  }

  async sendTo(queue: KeptQueue, message: OutgoingMessage): Promise<void> {
    const limits = this.limits();
    await this.again(
      () => this.forward(message, limits().timeout),
      () => this.options.sender.hold(message, limits(), () => this.options.destinations.ensureKept(queue)),
    );
  }

  async sendLater(message: OutgoingMessage, wait: number, back: WayBack): Promise<void> {
    const { destinations, sender } = this.options;
    const limits = this.limits();
    const { routingKey } = message;
    if (back.exchange !== '' && !destinations.isBack(routingKey)) {
      await sender.hold(message, limits(), () => destinations.ensureBack(routingKey));
    }
    const send = async (): Promise<void> =>
      this.forward(await this.delayed(message, wait, back, limits), limits().timeout);
    await this.again(send, () => destinations.forgetWait(this.stepOf(wait), back));
  }

  private build(
    exchange: string,
    routingKey: string,
    payload: unknown,
    options: PublishOptions,
    mandatory: boolean,
  ): OutgoingMessage {
    const { settings, codecs, clock } = this.options;
    const about = { exchange, routingKey, correlationId: options.correlationId };
    return outgoing(
      {
        exchange,
        routingKey,
        persistent: settings.publish.persistent,
        mandatory,
        messageId: options.messageId ?? randomUUID(),
        timestamp: clock.now(),
        appId: settings.service,
        maxBytes: settings.maxMessageBytes,
      },
      codecs.encode(payload, options.contentType, options.codec, about),
      options,
    );
  }

  private async dispatch(
    message: OutgoingMessage,
    payload: unknown,
    options: PublishOptions,
    mustRoute: boolean,
  ): Promise<PublishReceipt> {
    const { sender, destinations } = this.options;
    const { exchange, routingKey } = message;
    const messageId = message.properties.messageId as string;
    let outcome: PublishOutcome = 'confirmed';
    try {
      const limits = this.limits(options.timeout, options.signal, options.retryUnknown);
      const delay = options.delay === undefined ? 0 : milliseconds(options.delay, 'delay');
      if (!destinations.isKnown(exchange)) {
        await sender.hold(message, limits(), () => destinations.ensure(exchange));
      }
      if (delay > 0 && exchange === '' && mustRoute) {
        await sender.hold(message, limits(), () => this.queueThere(routingKey, messageId));
      }
      const sent =
        delay > 0 ? await this.delayed(message, delay, { exchange, replicated: false }, limits) : message;
      const { routed, resent } = await sender.send(sent, limits());
      if (!routed) outcome = 'returned';
      if (!routed && mustRoute) throw new UnroutableError(exchange, routingKey, messageId);
      return resent > 0 ? { routed, messageId, resent } : { routed, messageId };
    } catch (error) {
      outcome = outcomeOf(error);
      throw error;
    } finally {
      const { events } = this.options;
      if (events.hears('published'))
        events.emit({ kind: 'published', exchange, routingKey, messageId, payload, outcome });
    }
  }

  /** What is left of a publish's time: it has one, however many things it must wait for. */
  private limits(timeout?: Duration, signal?: AbortSignal, retry?: boolean): () => SendLimits {
    const { clock, settings } = this.options;
    const given = timeout === undefined ? settings.publish.timeout : milliseconds(timeout, 'timeout');
    const end = clock.now() + given;
    const retryUnknown = retry ?? settings.publish.retryUnknown;
    return () => ({ timeout: Math.max(0, end - clock.now()), given, signal, retryUnknown });
  }

  /** The same message by way of a wait queue. */
  private async delayed(
    message: OutgoingMessage,
    wait: number,
    back: WayBack,
    limits: () => SendLimits,
  ): Promise<OutgoingMessage> {
    const { destinations, sender } = this.options;
    const step = this.stepOf(wait);
    if (!destinations.isWaiting(step, back)) {
      await sender.hold(message, limits(), () => destinations.ensureWait(step, back));
    }
    return { ...message, exchange: waitExchange(step, back) };
  }

  private stepOf(wait: number): number {
    return waitStep(this.options.shortenWait(wait));
  }

  /** A message that must arrive, and did not since somebody deleted what it goes to: once more after `mend`. */
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

  // A message that waits is routed much later, when nobody can be told that its queue is missing.
  private async queueThere(queue: string, messageId: string): Promise<void> {
    try {
      await this.options.destinations.ensureQueue(queue);
    } catch (error) {
      throw error instanceof TopologyMissingError ? new UnroutableError('', queue, messageId) : error;
    }
  }

  /** For messages that must arrive: a missing queue or exchange is an error. */
  private async forward(message: OutgoingMessage, timeout: number): Promise<void> {
    // Without it the original would come again, and double it as well.
    const { routed } = await this.options.sender.send(message, { timeout, retryUnknown: true });
    if (!routed) {
      throw new UnroutableError(message.exchange, message.routingKey, message.properties.messageId ?? '');
    }
  }
}
