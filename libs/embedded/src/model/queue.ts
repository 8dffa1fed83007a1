// A queue: ready messages in order, consumers in turn, limits, expiry. It knows no sockets: consumers are an
// interface, and dead letters leave through `QueueEnvironment`.
import type { Clock } from './clock.js';
import { type Choice, type Consumer, Consumers } from './consumers.js';
import { MessageCounters } from './counters.js';
import { Expiry } from './expiry.js';
import { notGot } from './failure.js';
import type { Held, Message } from './message.js';
import { PriorityList } from './priority-list.js';
import { type AppliedPolicy, NO_POLICY } from './policy.js';
import { underPolicy } from './queue-policy.js';
import type { QueueSettings } from './queue-settings.js';
import type { VersionTraits } from './version.js';

/** How an unacked message comes back: by nack or recover, by reject, or because its channel has ended. */
export type Return = 'nack' | 'reject' | 'closed';

export type DeathReason = 'rejected' | 'expired' | 'maxlen' | 'delivery_limit';

/** What a queue needs of the virtual host it is in. */
export interface Surroundings {
  readonly vhost: string;
  readonly clock: Clock;
  readonly traits: VersionTraits;
  /** A message is held by one more or one less queue; counts towards the memory limit. */
  hold(message: Message): void;
  release(message: Message): void;
  /** A durable queue has a message; answers with its number in the journal, 0 when it is not kept. */
  keep(queue: Queue, message: Message, at: number): number;
  forget(entry: number): void;
  deadLetter(queue: Queue, message: Message, reason: DeathReason): void;
  /** The queue is to be deleted (auto-delete, or unused for too long). */
  remove(queue: Queue): void;
}

/** Of a message that was in the queue when the broker ended. */
export interface Restored {
  /** When it expires, or its offset in a stream. */
  readonly at: number | null;
  /** Its number in the journal. */
  readonly entry: number;
  /** When it came into a stream, in seconds of the wall clock. */
  readonly time: number | undefined;
}

/** Whether a queue is there again when the broker is, if that keeps anything. */
export function outlasts({ settings, owner }: Queue): boolean {
  return settings.durable && owner === undefined;
}

/** How the next single active consumer is chosen. */
function choiceOf({ quorum }: QueueSettings, { obeysPriorities }: VersionTraits): Choice {
  if (!quorum) return 'by priority';
  return obeysPriorities ? 'by priority at once' : 'by arrival';
}

/** Returned quorum messages line up before everything else, in the order they came back. */
const RETURNED = -(2 ** 52);

export class Queue {
  readonly kind = 'queue';
  readonly consumers: Consumers;
  /** What it goes by: its declaration under the policy that applies. */
  settings: QueueSettings;
  policy: AppliedPolicy = NO_POLICY;
  readonly counters = new MessageCounters();
  /** Delivered and not settled. */
  unacked = 0;
  private readonly ready: PriorityList;
  private readonly expiry: Expiry;
  private unackedBytes = 0;
  private arrivals = 0;
  private returns = 0;
  protected deleted = false;

  constructor(
    readonly name: string,
    readonly declared: QueueSettings,
    /** The connection that may use it, when exclusive. */
    readonly owner: object | undefined,
    protected readonly around: Surroundings,
  ) {
    this.settings = declared;
    this.ready = new PriorityList(declared.maxPriority);
    this.consumers = new Consumers(declared.single, choiceOf(declared, around.traits));
    this.expiry = new Expiry(
      around.clock,
      declared.expires,
      () => this.dropExpired(),
      () => around.remove(this),
    );
    this.expiry.touch(false);
  }

  get length(): number {
    return this.ready.size;
  }

  /** Bytes of the bodies of what waits, and of what is delivered and not settled. */
  get bytes(): { readonly ready: number; readonly unacked: number } {
    return { ready: this.ready.bytes, unacked: this.unackedBytes };
  }

  /** Asked for by name. To a quorum queue only reading from it is use. */
  named(): void {
    if (!this.settings.quorum) this.touch();
  }

  private touch(): void {
    this.expiry.touch(this.consumers.count > 0);
  }

  /** Applies another policy: its limits at once, its message TTL to new messages only. */
  govern(policy: AppliedPolicy): void {
    this.policy = policy;
    this.settings = underPolicy(this.declared, policy.definition, this.around.traits);
    this.expiry.allow(this.settings.expires, this.consumers.count > 0);
    this.settleDown();
  }

  /** Takes a message in. False when a length limit refuses it. */
  publish(message: Message, restored?: Restored): boolean {
    if (restored) {
      this.putBack(message, restored);
      return true;
    }
    const { settings } = this;
    if (settings.overflow !== 'drop-head' && this.overflows(1, message.body.length)) {
      if (settings.overflow === 'reject-publish-dlx') this.around.deadLetter(this, message, 'maxlen');
      return false;
    }
    const expiresAt = this.expiry.deadline(settings.messageTtl, message.text('expiration'));
    const held = this.held(
      message,
      expiresAt,
      outlasts(this) ? this.around.keep(this, message, expiresAt) : 0,
    );
    this.around.hold(message);
    if (this.ready.size === 0) {
      const consumer = this.consumers.next();
      if (consumer) {
        this.hand(consumer, held);
        return true;
      }
    }
    this.ready.push(held);
    this.settleDown();
    return true;
  }

  private putBack(message: Message, { at, entry }: Restored): void {
    this.around.hold(message);
    const held = this.held(message, at ?? Infinity, entry);
    // Whether it was delivered before is not known.
    held.redelivered = true;
    this.ready.push(held);
  }

  private held(message: Message, expiresAt: number, entry: number): Held {
    const { usualPriority, maxPriority } = this.settings;
    const priority = Math.min(message.priority ?? usualPriority, maxPriority);
    const position = (this.arrivals += 1);
    return { message, position, expiresAt, priority, redelivered: false, returns: 0, acquired: 0, entry };
  }

  private free(held: Held): void {
    this.around.release(held.message);
    if (held.entry > 0) this.around.forget(held.entry);
  }

  /** The next message for basic.get; it counts as unacked until settled. Throws 405 when only a single active consumer may read. */
  take(): Held | undefined {
    const { settings, around } = this;
    if (settings.quorum && settings.single) throw notGot(this.name, around.vhost, around.traits.quorumInText);
    this.dropExpired();
    const held = this.ready.shift();
    if (held) this.lend(held);
    this.dropExpired();
    this.touch();
    return held;
  }

  /** Gives out as much as consumers can take; what has expired when its turn comes is no longer given out. */
  pump(): void {
    for (this.dropExpired(); this.ready.size > 0; this.dropExpired()) {
      const consumer = this.consumers.next();
      if (!consumer) break;
      this.hand(consumer, this.ready.shift() as Held);
    }
  }

  /** An unacked message is done with, or rejected for good. */
  settle(held: Held, end: 'done' | 'rejected' | 'not awaited'): void {
    this.free(held);
    if (this.deleted) return;
    this.unacked -= 1;
    this.unackedBytes -= held.message.body.length;
    if (end === 'done') this.counters.ack += 1;
    if (end === 'rejected') this.around.deadLetter(this, held.message, 'rejected');
  }

  /** Puts unacked messages back where they were; the caller pumps afterwards. */
  requeue(returned: readonly Held[], how: Return): void {
    if (this.deleted) {
      for (const held of returned) this.free(held);
      return;
    }
    const spent: Held[] = [];
    for (const held of returned) {
      this.unacked -= 1;
      this.unackedBytes -= held.message.body.length;
      held.redelivered = true;
      held.acquired += 1;
      if (how !== 'nack' || !this.around.traits.countsAcquired) held.returns += 1;
      if (held.returns > this.settings.deliveryLimit) spent.push(held);
      else this.giveBack(held, how);
    }
    for (const held of spent) this.bury(held, 'delivery_limit');
    this.settleDown();
  }

  private giveBack(held: Held, how: Return): void {
    const { quorum, deliveryLimit } = this.settings;
    if (quorum && this.around.traits.returnsToTail && deliveryLimit === Infinity && how !== 'closed') {
      held.position = this.arrivals += 1;
      this.ready.push(held);
      return;
    }
    if (quorum) {
      held.position = RETURNED + (this.returns += 1);
      held.priority = Infinity;
    }
    this.ready.putBack(held);
  }

  addConsumer(consumer: Consumer): void {
    this.consumers.add(consumer);
    this.expiry.touch(true);
  }

  /** Another one may become active; the caller pumps, after what the consumer held has come back. */
  removeConsumer(consumer: Consumer): void {
    if (!this.consumers.remove(consumer) || this.deleted || this.consumers.count > 0) return;
    if (this.settings.autoDelete) this.around.remove(this);
    else this.expiry.touch(false);
  }

  /** Drops what is ready and says how much that was; unacked messages stay with their consumers. */
  purge(): number {
    const count = this.ready.size;
    for (let held = this.ready.shift(); held; held = this.ready.shift()) this.free(held);
    return count;
  }

  /** The queue is gone: consumers are told, messages freed. Called by the virtual host only. */
  close(): void {
    this.deleted = true;
    this.expiry.stop();
    this.purge();
    for (const consumer of this.consumers.all()) consumer.cancelled();
  }

  private hand(consumer: Consumer, held: Held): void {
    this.lend(held);
    consumer.deliver(held);
    if (consumer.noAck) this.settle(held, 'not awaited');
  }

  private lend(held: Held): void {
    this.unacked += 1;
    this.unackedBytes += held.message.body.length;
  }

  private overflows(more: number, moreBytes: number): boolean {
    const { maxLength, maxBytes } = this.settings;
    return this.ready.size + more > maxLength || this.ready.bytes + moreBytes > maxBytes;
  }

  /** After something was added: expired messages go, then what is over the limit, then what has expired behind that. */
  private settleDown(): void {
    this.dropExpired();
    // Where publishers are refused, what came in and is given back stays, however long the queue gets.
    if (this.settings.overflow !== 'drop-head' || !this.overflows(0, 0)) return;
    do this.bury(this.ready.shift() as Held, 'maxlen');
    while (this.overflows(0, 0));
    this.dropExpired();
  }

  /** Called whenever another message may be the head of the queue: what has expired there goes, and the alarm is set. */
  private dropExpired(): void {
    let head = this.ready.peek();
    for (; head && this.expiry.passed(head.expiresAt); head = this.ready.peek()) {
      this.ready.shift();
      this.bury(head, 'expired');
    }
    if (head) this.expiry.watch(head.expiresAt);
  }

  private bury(held: Held, reason: DeathReason): void {
    this.free(held);
    this.around.deadLetter(this, held.message, reason);
  }
}
