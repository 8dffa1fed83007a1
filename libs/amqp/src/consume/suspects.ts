import type { Clock } from '../runtime/clock.js';
import type { Delivery } from '../message/delivery.js';
import type { BrokerLogger } from '../runtime/logger.js';
import { createHash } from 'node:crypto';
import { RabbitError } from '../errors/errors.js';
import { countHeader, HEADER } from '../message/headers.js';
import type { ReceivedMessage } from '../message/message.js';
import { queueTypeOf, type QueueSpec } from '../topology/specs.js';
import { POISON_DELIVERIES, SUSPECT_DELIVERIES } from '../topology/handler-limits.js';

/** What running alone needs of its consumer. */
export interface IsolationContext {
  readonly clock: Clock;
  /** Nothing else starts from now on. */
  hold(): void;
  /** Others may start again. */
  release(): void;
  /** Resolves when nothing runs whose message this process holds. */
  quiet(): Promise<void>;
  /** Gives a suspect to the broker for a while, unchanged. Never rejects. */
  putAway(delivery: Delivery): Promise<void>;
  /** Resolves when the broker has taken all acks up to now. Never rejects. */
  settled(): Promise<void>;
  /** It goes back with its channel. */
  leave(delivery: Delivery): void;
  /** Never rejects. */
  run(delivery: Delivery): Promise<void>;
}

/** Others of the queue wait no longer than this for one suspect: what ends a process does so sooner. */
const LONGEST = 30_000;

/** Others may come while some are put away: how often those are put away before one runs all the same. */
const CLEARED = 5;

/**
 * Runs suspects one at a time, with nothing of their queue beside them: what runs is finished first, and
 * other suspects that are here are put away. So of all messages only the one that runs comes back when the
 * process dies of it.
 */
export class SuspectIsolation {
  private waiting: Delivery[] = [];
  /** It runs, or will as soon as the others are put away. */
  private next: Delivery | undefined;
  private busy = false;
  private running = false;
  private stopped = false;

  constructor(private readonly context: IsolationContext) {}

  push(delivery: Delivery): void {
    if (this.stopped) return this.context.leave(delivery);
    this.waiting.push(delivery);
    // Those that come while one runs are put away at once: they must not come back with it.
    if (this.running) void this.clear();
    else if (!this.busy) void this.go();
  }

  /** Starts no more; hands out what waits. */
  stop(): Delivery[] {
    this.stopped = true;
    return this.waiting.splice(0);
  }

  /** Forgets what waits: its channel died, and the broker delivers it again. */
  forget(isGone: (delivery: Delivery) => boolean): void {
    this.waiting = this.waiting.filter((delivery) => !isGone(delivery));
    if (this.next && isGone(this.next)) this.next = undefined;
  }

  private async go(): Promise<void> {
    this.busy = true;
    this.context.hold();
    await this.atMost(this.context.quiet());
    for (let next = this.waiting.shift(); next; next = this.waiting.shift()) {
      // Until none is left here, since more may come meanwhile.
      this.running = true;
      this.next = next;
      // What was put away must not come back with it: until the broker has read that, it would.
      for (let times = 0; times < CLEARED; times++) {
        await this.clear();
        await this.atMost(this.context.settled());
        if (this.waiting.length === 0) break;
      }
      if (this.stopped) this.context.leave(next);
      else if (this.next === next) await this.atMost(this.context.run(next));
      this.running = false;
    }
    this.busy = false;
    this.context.release();
  }

  private async clear(): Promise<void> {
    while (this.waiting.length > 0) {
      await Promise.all(this.waiting.splice(0).map((delivery) => this.context.putAway(delivery)));
    }
  }

  private async atMost(work: Promise<void>): Promise<void> {
    let cancel = (): void => undefined;
    const over = new Promise<void>((resolve) => (cancel = this.context.clock.after(LONGEST, resolve)));
    await Promise.race([work, over]);
    cancel();
  }
}

/** What to do with a delivery. */
export type Suspicion =
  /** Nothing is known against it. */
  | { readonly kind: 'none' }
  /** Somebody had it before, and nobody counts how often: it runs like the others. */
  | { readonly kind: 'uncounted' }
  /** It goes to the end of its queue, as one that was put there `trial` times. */
  | { readonly kind: 'suspect'; readonly trial: number }
  /** Its handler runs while no other one of the queue does. */
  | { readonly kind: 'alone' }
  /** It came back again and again: its handler is not called any more. */
  | { readonly kind: 'guilty'; readonly error: RabbitError };

const NONE: Suspicion = { kind: 'none' };
const ALONE: Suspicion = { kind: 'alone' };
const UNCOUNTED: Suspicion = { kind: 'uncounted' };

/** Times that a suspect may run alone. */
const TRIALS = POISON_DELIVERIES - SUSPECT_DELIVERIES;

/** How many messages are remembered that came back although their handlers harmed nobody. */
const REMEMBERED = 10_000;

/**
 * Which messages may have killed a process. A broker counts how often it handed a message out without an
 * outcome, and cannot know whether its handler had begun. So what was handed out often is a suspect, not
 * guilty: it is put at the end of its queue, with a header of ours, and from then on runs alone. Only what
 * comes back from there is a dead letter. One per consumer.
 */
export class Suspects {
  /** By message: how often it went back because a connection was lost, while this process lived on. */
  private readonly excused = new Map<string, number>();

  /** What is to be done with a delivery that has just come. */
  judge(delivery: Delivery): Suspicion {
    const { headers, message } = delivery;
    const trial = countHeader(headers, HEADER.trial);
    // On its first delivery nothing of it came back: counts that stand there are copies, or invented.
    if (!message.redelivered) return trial > 0 ? ALONE : NONE;
    const count = Math.max(
      countHeader(headers, 'x-delivery-count'),
      // RabbitMQ 4.3 raises only this one when a message was held too long.
      countHeader(headers, 'x-acquired-count'),
    );
    if (trial === 0) {
      if (count === 0) return this.excused.has(keyOf(message)) ? NONE : UNCOUNTED;
      if (count < SUSPECT_DELIVERIES) return NONE;
      const returns = count - (this.excused.get(keyOf(message)) ?? 0);
      return returns < SUSPECT_DELIVERIES ? NONE : { kind: 'suspect', trial: 1 };
    }
    if (this.excused.delete(keyOf(message))) return ALONE;
    if (trial < TRIALS) return { kind: 'suspect', trial: trial + 1 };
    return { kind: 'guilty', error: poison(SUSPECT_DELIVERIES + trial) };
  }

  /** It went back with its channel, and this process is alive: its handler killed nobody. */
  excuse({ message }: Delivery): void {
    const key = keyOf(message);
    const times = (this.excused.get(key) ?? 0) + 1;
    this.excused.delete(key);
    this.excused.set(key, times);
    if (this.excused.size <= REMEMBERED) return;
    for (const oldest of this.excused.keys()) {
      this.excused.delete(oldest);
      return;
    }
  }

  /** A copy of it goes to its queue, of which nothing came back yet. */
  renewed({ message }: Delivery): void {
    this.excused.delete(keyOf(message));
  }
}

/** Why a message is a dead letter that was handed out so often. */
export function poison(times: number): RabbitError {
  return new RabbitError(
    'WARREN_POISON',
    `delivered ${times} times without being acked`,
    'it may have crashed the process; check the handler before you replay it',
  );
}

function keyOf({ properties, content, exchange, routingKey }: ReceivedMessage): string {
  const hash = createHash('sha1').update(content).digest('base64');
  return `${properties.messageId ?? ''}\0${exchange}\0${routingKey}\0${hash}`;
}

/** What comes so soon after the first one is counted, not each said, in ms. */
const TOGETHER = 200;

/** The log lines about suspects: a start may find as many as the prefetch. */
export class SuspectReport {
  /** Of each kind that is being counted. */
  private readonly more = new Map<string, number>();
  private saidUncounted = false;

  constructor(
    private readonly queue: QueueSpec,
    private readonly clock: Clock,
    private readonly logger: BrokerLogger,
  ) {}

  found(message: string): void {
    this.say(
      'suspect',
      `${message} was redelivered several times without being acked (it may have crashed a process); from now on no other message of the queue runs beside it`,
      ', which run alone as well',
    );
  }

  /** Somebody had it before, and the queue counts nothing: it has no end. Said once in the life of a process. */
  uncounted(message: string): void {
    if (this.saidUncounted || queueTypeOf(this.queue) === 'quorum') return;
    this.say(
      'uncounted',
      `${message} was delivered before and not settled. If it crashed that process, it will crash every process that gets it until you remove it: a classic queue does not count deliveries. A quorum queue (queueType) would dead-letter it after five`,
      '',
    );
  }

  private say(kind: 'suspect' | 'uncounted', line: string, fate: string): void {
    const known = this.more.get(kind);
    if (known !== undefined) return void this.more.set(kind, known + 1);
    this.more.set(kind, 0);
    // At once: what it does may end the process.
    this.logger.warn(line, { event: 'suspect', queue: this.queue.name });
    this.clock.after(TOGETHER, () => {
      const more = this.more.get(kind) ?? 0;
      this.more.delete(kind);
      if (kind === 'uncounted') this.saidUncounted = true;
      if (more > 0)
        this.logger.warn(`and so were ${more} other messages of '${this.queue.name}'${fate}`, {
          event: 'suspect',
          queue: this.queue.name,
        });
    });
  }
}
