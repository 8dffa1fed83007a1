import { withoutFrames } from '../errors/errors.js';
import {
  PublishNackedError,
  PublishOutcomeUnknownError,
  PublishTimeoutError,
  UnroutableError,
} from '../errors/publish-errors.js';
import type { PublishOutcome } from '../events/events.js';
import type { OutgoingMessage } from '../message/message.js';
import type { PublishReceipt } from '../options/publish-options.js';
import type { Events } from '../events/emitter.js';
import type { SendResult } from './pending-send.js';

/** What a failed publish counts as. */
export function outcomeOf(error: unknown): PublishOutcome {
  if (error instanceof UnroutableError) return 'returned';
  if (error instanceof PublishNackedError) return 'nacked';
  if (error instanceof PublishOutcomeUnknownError) return 'unknown';
  return error instanceof PublishTimeoutError ? 'timeout' : 'refused';
}

/** For a publish whose end is told by the one around it. */
export const UNHEARD: Pick<Events, 'hasListeners' | 'emit'> = { hasListeners: () => false, emit() {} };

/** What an application published, on its way: what its promise and those who listen are told of its end. */
export class PendingPublish implements SendResult {
  constructor(
    private readonly events: Pick<Events, 'hasListeners' | 'emit'>,
    private readonly message: OutgoingMessage,
    private readonly payload: unknown,
    /** Nobody who wants it is an error. */
    private readonly mustRoute: boolean,
    private readonly resolve: (receipt: PublishReceipt) => void,
    private readonly reject: (error: Error) => void,
  ) {}

  onSent(routed: boolean, resent: number, nacks: number): void {
    const { message } = this;
    if (!routed && this.mustRoute) return this.onFailed(unroutable(message));
    const messageId = message.properties.messageId as string;
    if (this.events.hasListeners('published')) this.tell(routed ? 'confirmed' : 'returned');
    const receipt: { -readonly [Name in keyof PublishReceipt]: PublishReceipt[Name] } = { routed, messageId };
    if (resent > 0) receipt.resent = resent;
    if (nacks > 0) receipt.nacked = nacks;
    this.resolve(receipt);
  }

  onFailed(error: Error): void {
    if (this.events.hasListeners('published')) this.tell(outcomeOf(error));
    this.reject(error);
  }

  private tell(outcome: PublishOutcome): void {
    const { payload } = this;
    const { exchange, routingKey, properties } = this.message;
    const messageId = properties.messageId as string;
    this.events.emit({ kind: 'published', exchange, routingKey, messageId, payload, outcome });
  }
}

/** Nobody wanted it. */
export function unroutable({ exchange, routingKey, properties }: OutgoingMessage): Error {
  return withoutFrames(() => new UnroutableError(exchange, routingKey, properties.messageId ?? ''));
}
