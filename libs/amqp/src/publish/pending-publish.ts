import { withoutFrames } from '../errors/errors.js';
import {
  PublishNackedError,
  PublishOutcomeUnknownError,
  PublishTimeoutError,
  UnroutableError,
} from '../errors/publish-errors.js';
import type { PublishOutcome } from '../events/events.js';
import type { Clock } from '../runtime/clock.js';
import type { OutgoingMessage } from '../message/message.js';
import type { PublishReceipt } from '../options/publish-options.js';
import type { Events } from '../events/emitter.js';
import type { SendLimits, SendResult } from './pending-send.js';

/** What a failed publish counts as. */
export function outcomeOf(error: unknown): PublishOutcome {
  if (error instanceof UnroutableError) return 'returned';
  if (error instanceof PublishNackedError) return 'nacked';
  if (error instanceof PublishOutcomeUnknownError) return 'unknown';
  return error instanceof PublishTimeoutError ? 'timeout' : 'refused';
}

/** What was published. */
export interface Published {
  readonly events: Events;
  readonly message: OutgoingMessage;
  readonly payload: unknown;
  /** Nobody who wants it is an error. */
  readonly mustRoute: boolean;
}

/**
 * What an application published, on its way: its time, and what its promise and those who listen are told of
 * its end.
 */
export class PendingPublish implements SendResult {
  constructor(
    private readonly published: Published,
    private readonly resolve: (receipt: PublishReceipt) => void,
    private readonly reject: (error: Error) => void,
  ) {}

  onSent(routed: boolean, resent: number, nacks: number): void {
    const { message, mustRoute } = this.published;
    if (!routed && mustRoute) return this.onFailed(unroutable(message));
    const messageId = message.properties.messageId as string;
    this.tell(routed ? 'confirmed' : 'returned');
    const receipt: { -readonly [Name in keyof PublishReceipt]: PublishReceipt[Name] } = { routed, messageId };
    if (resent > 0) receipt.resent = resent;
    if (nacks > 0) receipt.nacked = nacks;
    this.resolve(receipt);
  }

  onFailed(error: Error): void {
    this.tell(outcomeOf(error));
    this.reject(error);
  }

  private tell(outcome: PublishOutcome): void {
    const { events, message, payload } = this.published;
    if (!events.hasListeners('published')) return;
    const { exchange, routingKey, properties } = message;
    const messageId = properties.messageId as string;
    events.emit({ kind: 'published', exchange, routingKey, messageId, payload, outcome });
  }
}

/** The time of a publish: it has one, however many things it must wait for. */
export class Limits implements SendLimits {
  private readonly end: number;

  constructor(
    private readonly clock: Clock,
    readonly given: number,
    readonly signal: AbortSignal | undefined,
    readonly retryUnknown: boolean,
    readonly retryNacked: number,
  ) {
    this.end = clock.monotonic() + given;
  }

  /** What is left of it. */
  get timeout(): number {
    return Math.max(0, this.end - this.clock.monotonic());
  }
}

/** Nobody wanted it. */
export function unroutable({ exchange, routingKey, properties }: OutgoingMessage): Error {
  return withoutFrames(() => new UnroutableError(exchange, routingKey, properties.messageId ?? ''));
}
