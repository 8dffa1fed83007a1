import { withoutFrames, isError, EncodeError } from '../errors/errors.js';
import {
  PublishNackedError,
  PublishOutcomeUnknownError,
  PublishTimeoutError,
  UnroutableError,
} from '../errors/publish-errors.js';
import { offAbort, onAbort } from '../runtime/abort-signals.js';
import type { Deadline, Deadlines } from '../runtime/clock.js';
import { bodySize, type OutgoingMessage } from '../message/message.js';
import type { Settings } from '../options/settings.js';
import { printable } from '../runtime/logger.js';
import { replyCodeIn } from '../errors/error-facts.js';
import type { LiveChannel } from '../connection/channel.js';
import { channelCloseReason, isSuspect, isToBlame } from './channel-replacement.js';
import type { Confirms, SendOutcome, Unconfirmed } from './confirms.js';
import type { Waiting } from './publish-buffer.js';
import type { PublishOutcome } from '../events/events.js';
import type { PublishReceipt } from '../options/publish-options.js';
import type { Events } from '../events/emitter.js';

/** How long a send may take, and what calls it off. It has one time, however many things it must wait for. */
export interface SendLimits {
  /** When its time is over, by the monotonic clock. */
  readonly end: number;
  /** How long that was when it began, in ms, for the error. */
  readonly given: number;
  readonly signal?: AbortSignal | undefined;
  /** Sends it again when the connection was lost before its confirm. Default false. */
  readonly retryUnknown?: boolean;
  /** How long it is sent again after the broker refused it, in ms. Default 0. */
  readonly retryNacked?: number;
}

/** A confirm that takes longer does not come, whatever `publish.timeout` allows: for what Warren sends by itself, in ms. */
const OWN_TIMEOUT = 30_000;

/** How long a retry, a dead letter or a reply may take before it is sent once more. */
export function ownTimeout({ publish }: Settings): number {
  return Math.min(publish.timeout, OWN_TIMEOUT);
}

/** For the log: what the broker did not confirm. */
export function unconfirmed({ exchange, routingKey, properties: { messageId } }: OutgoingMessage): string {
  const to = exchange === '' ? `queue '${routingKey}'` : `exchange '${exchange}' ('${routingKey}')`;
  const which = messageId === undefined ? 'a message' : `message ${messageId}`;
  return printable(`the broker did not confirm ${which} to ${to} in time; replacing the channel`);
}

/** Waits for a send; one of the two is called, once. */
export interface SendResult {
  /** The broker has the message: whether a queue wanted it, how often it was sent again, how often refused before. */
  onSent(routed: boolean, resent: number, nacks: number): void;
  onFailed(error: Error): void;
}

/** How often the broker refused it, and when first and last, by the monotonic clock. */
export interface Nacks {
  times: number;
  first: number;
  last: number;
}

/** Sends it, and is told how it proceeds. */
export interface Forwarder {
  readonly deadlines: Deadlines;
  /** Why it was not sent yet, for the error of its deadline. */
  whyWaiting(): string;
  /** Resends it as soon as possible; among few others when it may be the one that the broker refuses. */
  again(pending: PendingSend, suspectAmong?: number): void;
  /** Sends it once more after a pause; false when `within` ms since the first refusal are over. */
  retryNacked(pending: PendingSend, nacks: Nacks, within: number): boolean;
  /** How long the confirm of what was sent at this time may still take, in ms; 0 or less when it is overdue. */
  timeLeft(sentAt: number): number;
  /** The broker refused it, or its confirm is overdue; told before the result. */
  failing(how: 'nacked' | 'unanswered', message: OutgoingMessage): void;
  /** It has its result. */
  ended(pending: PendingSend): void;
}

/** For a message that is sent at once and never resent. */
export function single(deadlines: Deadlines): Forwarder {
  const nothing = (): void => undefined;
  return {
    deadlines,
    whyWaiting: () => 'it was not sent',
    timeLeft: () => 0,
    failing: nothing,
    ended: nothing,
    again: (pending) => pending.giveUp(new Error('the channel was lost')),
    retryNacked: () => false,
  };
}

/** Reply codes with which the broker closes a connection because of the client's own frames. */
const OWN_FAULT: ReadonlySet<number | undefined> = new Set([501, 502, 503, 504, 505, 530, 540, 541]);

/**
 * A message being sent: its deadline, its signal, and its one result. Whatever happens later (a confirm after the
 * deadline, an abort after the confirm) is ignored. It is its own deadline, buffer entry and unconfirmed entry, to save
 * objects.
 */
export class PendingSend implements Deadline, Waiting, Unconfirmed {
  tick = 0;
  place = 0;
  gone = true;
  queued = false;
  returned = false;
  private channel: LiveChannel | undefined = undefined;
  /** When it was sent last, by the monotonic clock. */
  private sentAt = 0;
  private resent = 0;
  private nacks: Nacks | undefined = undefined;
  private done = false;

  constructor(
    readonly message: OutgoingMessage,
    private readonly limits: SendLimits,
    private readonly by: Forwarder,
    private readonly result: SendResult,
  ) {
    by.deadlines.addAt(limits.end, this);
    if (limits.signal) onAbort(limits.signal, this);
  }

  get bytes(): number {
    return bodySize(this.message.content);
  }

  /** Its timeout expired; or, after that, its confirm is overdue. */
  onExpired(): void {
    if (this.channel) {
      // It may have been sent a moment ago: its channel is judged when a confirm would be overdue.
      const left = this.by.timeLeft(this.sentAt);
      if (left > 0) this.by.deadlines.set(left, () => this.onExpired());
      else this.by.failing('unanswered', this.message);
    }
    if (!this.done) this.fail(this.tooLate());
  }

  /** Its signal aborted. */
  handleEvent(): void {
    // A sent message cannot be recalled; its outcome is still useful.
    if (!this.channel && this.limits.signal) this.giveUp(abortError(this.limits.signal));
  }

  fail(error: Error): void {
    this.settle(error, false);
  }

  succeed(): void {
    this.settle(undefined, true);
  }

  /** It cannot be sent any more: with this error if it never was, else its outcome stays unknown. */
  giveUp(error: Error): void {
    this.fail(this.resent > 0 ? this.unknown(error.message) : error);
  }

  /** Sends it now, which is `now` by the monotonic clock. */
  send(channel: LiveChannel, confirms: Confirms, now: number): void {
    try {
      confirms.send(this);
      this.channel = channel;
      this.sentAt = now;
    } catch (error) {
      const text = isError(error) ? error.message : String(error);
      this.fail(
        channel.alive
          ? new EncodeError(`the message cannot be sent: ${text}`, '', error)
          : this.unknown(text),
      );
    }
  }

  onOutcome(outcome: SendOutcome, inDoubt = 0): void {
    if (this.done) return void (this.channel = undefined);
    if (outcome === 'confirmed' || outcome === 'returned') {
      return this.settle(undefined, outcome === 'confirmed');
    }
    if (outcome === 'lost') return this.lost(this.channel as LiveChannel, inDoubt);
    this.channel = undefined;
    this.nacks ??= { times: 0, first: 0, last: 0 };
    this.nacks.times++;
    this.by.failing('nacked', this.message);
    const again = this.by.retryNacked(this, this.nacks, this.limits.retryNacked ?? 0);
    if (!again) this.giveUp(this.nacked(this.nacks));
  }

  private lost(channel: LiveChannel, inDoubt: number): void {
    void channel.closed.then((reason) => {
      if (this.done) return;
      const closeReason = channelCloseReason(reason);
      if (!closeReason) return this.mayRetry(reason) ? this.again() : this.fail(this.unknownLoss(reason));
      const suspect = isSuspect(closeReason, this.message);
      const toBlame = isToBlame(closeReason, this.message) || (suspect && inDoubt === 1);
      if (toBlame) return this.fail(closeReason.error ?? this.unknownLoss(reason));
      this.again(suspect ? inDoubt : undefined);
    });
  }

  private again(suspectAmong?: number): void {
    this.channel = undefined;
    this.resent++;
    this.by.again(this, suspectAmong);
  }

  // A message that makes the broker close the connection is sent twice at most.
  private mayRetry(reason: string): boolean {
    return this.limits.retryUnknown === true && (this.resent === 0 || !OWN_FAULT.has(replyCodeIn(reason)));
  }

  private tooLate(): Error {
    const { exchange, routingKey, properties } = this.message;
    const { given } = this.limits;
    if (this.channel || this.resent > 0) return this.unknown(`no confirm within ${given} ms`);
    if (this.nacks) return this.nacked(this.nacks);
    const why = this.by.whyWaiting();
    return withoutFrames(
      () => new PublishTimeoutError(exchange, routingKey, given, why, properties.messageId),
    );
  }

  private nacked({ times, first, last }: Nacks): Error {
    const { exchange, routingKey, properties } = this.message;
    const id = properties.messageId ?? '';
    const took = Math.round(last - first);
    return withoutFrames(() => new PublishNackedError(exchange, routingKey, id, times, took));
  }

  private unknownLoss(reason: string): Error {
    return this.unknown(`the channel was lost (${reason})`);
  }

  private unknown(reason: string): Error {
    const { exchange, routingKey, properties } = this.message;
    const id = properties.messageId ?? '';
    return withoutFrames(() => new PublishOutcomeUnknownError(exchange, routingKey, id, reason));
  }

  /** Its one result: the error, else whether a queue wanted it. */
  private settle(error: Error | undefined, routed: boolean): void {
    if (this.done) return;
    this.done = true;
    this.by.deadlines.clear(this);
    if (this.limits.signal) offAbort(this.limits.signal, this);
    if (error) this.result.onFailed(error);
    else this.result.onSent(routed, this.resent, this.nacks?.times ?? 0);
    this.by.ended(this);
  }
}

/** The reason of an aborted signal, which may be any value. */
export function abortError({ reason }: AbortSignal): Error {
  return isError(reason) ? reason : new Error(`aborted: ${String(reason)}`);
}

/** What a failed publish counts as. */
export function outcomeOf(error: unknown): PublishOutcome {
  if (error instanceof UnroutableError) return 'returned';
  if (error instanceof PublishNackedError) return 'nacked';
  if (error instanceof PublishOutcomeUnknownError) return 'unknown';
  return error instanceof PublishTimeoutError ? 'timeout' : 'refused';
}

/** For a publish whose event is emitted by the one around it. */
export const UNHEARD: Pick<Events, 'hasListeners' | 'emit'> = { hasListeners: () => false, emit() {} };

/** A publish of an application: settles its promise and emits its event. */
export class PendingPublish implements SendResult {
  constructor(
    private readonly events: Pick<Events, 'hasListeners' | 'emit'>,
    private readonly message: OutgoingMessage,
    private readonly payload: unknown,
    /** Whether a message that no queue receives is an error. */
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

/** No queue received it. */
export function unroutable({ exchange, routingKey, properties }: OutgoingMessage): Error {
  return withoutFrames(() => new UnroutableError(exchange, routingKey, properties.messageId ?? ''));
}
