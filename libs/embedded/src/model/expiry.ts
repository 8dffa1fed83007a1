// The two timers of a queue: when its next message expires, and when the queue itself expires because it is unused. Timers never keep the process alive and fire again when they fired early.
import { type Clock, type Timer } from './clock.js';

/** A single alarm that can be moved earlier or switched off. */
export class Alarm {
  private timer: Timer | undefined;
  private at = Infinity;

  constructor(
    private readonly clock: Clock,
    private readonly ring: () => void,
  ) {}

  /** Rings at the given time, or earlier if an earlier one was set. */
  noLaterThan(at: number): void {
    if (at >= this.at) return;
    this.set(at);
  }

  set(at: number): void {
    this.off();
    this.at = at;
    this.timer = this.clock.after(Math.ceil(at - this.clock.now()), () => this.fire());
  }

  off(): void {
    if (this.timer) this.clock.cancel(this.timer);
    this.timer = undefined;
    this.at = Infinity;
  }

  private fire(): void {
    const { at } = this;
    this.off();
    if (this.clock.now() < at) this.set(at);
    else this.ring();
  }
}

export class Expiry {
  private readonly messages: Alarm;
  private readonly idle: Alarm;

  constructor(
    private readonly clock: Clock,
    /** Milliseconds without use, or undefined for a queue that stays. */
    private idleAfter: number | undefined,
    dropExpired: () => void,
    removeQueue: () => void,
  ) {
    this.messages = new Alarm(clock, dropExpired);
    this.idle = new Alarm(clock, removeQueue);
  }

  /** When a message arriving now expires: the sooner of the queue's TTL and its own. */
  deadline(queueTtl: number | undefined, ownTtl: string | undefined): number {
    const ttl = Math.min(queueTtl ?? Infinity, ownTtl === undefined ? Infinity : Number(ownTtl));
    return ttl === Infinity ? Infinity : this.clock.now() + ttl;
  }

  passed(expiresAt: number): boolean {
    return expiresAt !== Infinity && expiresAt <= this.clock.now();
  }

  /** The head of the queue is this old; wake up when it expires. */
  watch(expiresAt: number): void {
    if (expiresAt !== Infinity) this.messages.noLaterThan(expiresAt);
  }

  /** The queue was used; with consumers it is in use all the time. */
  touch(inUse: boolean): void {
    if (this.idleAfter === undefined) return;
    if (inUse) this.idle.off();
    else this.idle.set(this.clock.now() + this.idleAfter);
  }

  /** Another time without use after which the queue goes, from now on. */
  allow(idleAfter: number | undefined, inUse: boolean): void {
    if (idleAfter === this.idleAfter) return;
    this.idleAfter = idleAfter;
    this.idle.off();
    this.touch(inUse);
  }

  stop(): void {
    this.messages.off();
    this.idle.off();
  }
}
