// A channel that was refused a message, or waited in vain for a confirm, gets a successor. RabbitMQ (seen on 3.10) looks
// for the leader of a quorum queue when a channel first publishes to it; if that node has just died or comes back, it
// refuses or forgets all further messages of this channel to this queue, for as long as the channel lives, although the
// queue has a leader long since.

import type { Clock } from '../runtime/clock.js';

/** A full queue refuses too, and a new channel is no use there: so much time lies between two, in ms. */
const REST = 1_000;

/** Longer than an election lasts: who refuses for this time is full, and then so much lies between two, in ms. */
const FULL_AFTER = 5_000;
const LONG_REST = 10_000;

/** What is unconfirmed must be answered first, in this time. */
const PATIENCE = 2_000;

/** What a renewal is made from. */
export interface ChannelReplacementOptions {
  readonly clock: Clock;
  /** Messages on the channel whose outcome somebody waits for. */
  readonly unconfirmed: () => number;
  /** Closes the channel; another one comes. */
  readonly renew: () => void;
  /** Nothing is held back any more. */
  readonly onGivenUp: () => void;
}

/** Waits until a channel owes no answer, and has it replaced. */
export class ChannelReplacement {
  /** Nothing more may be sent on the channel. */
  pending = false;
  private last = -Infinity;
  /** Since when it has been asked again and again, and when last. */
  private since = -Infinity;
  private asked = -Infinity;
  private cancel: (() => void) | undefined;
  private closing = false;

  constructor(private readonly options: ChannelReplacementOptions) {}

  /** The channel does not do its duty. When `forced`, what is not answered in time is given up with it. */
  ask(forced: boolean): void {
    const { clock } = this.options;
    const now = clock.monotonic();
    if (now - this.asked >= LONG_REST) this.since = now;
    this.asked = now;
    const rest = now - this.since < FULL_AFTER ? REST : LONG_REST;
    if (this.pending || now - this.last < rest) return;
    this.last = now;
    this.pending = true;
    this.cancel = clock.after(PATIENCE, () => {
      if (forced && !this.closing) return this.replace();
      this.end();
      this.options.onGivenUp();
    });
  }

  /** A message was answered, refused ones included. */
  answered(): void {
    // A buffered publish may be given up, and so settled, while the channel closes.
    if (this.pending && !this.closing && this.options.unconfirmed() === 0) this.replace();
  }

  /** The channel is gone. */
  end(): void {
    this.cancel?.();
    this.pending = false;
    this.closing = false;
  }

  private replace(): void {
    this.closing = true;
    this.options.renew();
  }
}
