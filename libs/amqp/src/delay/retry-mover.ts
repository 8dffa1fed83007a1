import { HEADER, type ReturnRoute } from '../message/headers.js';
import { onWall, type Clock } from '../runtime/clock.js';
import type { WaitingStatus } from '../events/broker-status.js';
import type { Settings } from '../options/settings.js';
import type { OutgoingMessage, ReceivedMessage } from '../message/message.js';
import type { Connection } from '../connection/connection.js';
import type { LateRetries } from '../events/late-retries.js';
import { waitName } from '../topology/retry-topology.js';
import { mayHideDeletion } from '../topology/specs.js';
import type { ExchangeCache } from '../publish/exchange-cache.js';
import { MoveSender } from './move-sender.js';
import { Moves } from './moves.js';
import { waitConsumer } from './wait-consumer.js';
import { WaitHolder } from './wait-holder.js';

/** Dependencies. */
export interface RetryMoverOptions {
  readonly connection: Connection;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly exchangeCache: ExchangeCache;
  readonly late: LateRetries;
  /** See BrokerHooks. */
  readonly upkeep?: number | undefined;
}

/** A wait queue, with its exchange and delay. */
export interface Wait {
  readonly step: number;
  readonly back: ReturnRoute;
}

/** Each takes a channel. What waits in further queues is handed over by the broker. */
const HOLDERS_MOST = 200;

/** No message is held longer than this, in ms, and never longer than a third of the consumer timeout. */
const HOLD_MOST = 5 * 60_000;

/** How often to check for wait queues that were missing, in ms. */
const PROBE_EVERY = 30_000;

/** How often to compare the messages in wait queues with those that arrive, in ms. */
const CHECK_EVERY = 10_000;

/**
 * A queue that delivered nothing for this long, in addition to its delay, is not compared; its consumer may be cut
 * off.
 */
const IDLE = 60_000;

/** Time for pending confirms at the end, in ms. */
const LAST_CONFIRMS = 2_000;

interface Holder extends Wait {
  readonly holder: WaitHolder;
  /**
   * Number of messages that had arrived at the last comparison, when messages waited although the consumer had
   * capacity.
   */
  stuckAt: number | undefined;
  /** When its consumer began, while nothing has arrived since: by the monotonic clock. */
  begunAt: number;
}

/**
 * Forwards messages when their delay is over: consumes the wait queues of this service, holds messages until they are
 * due, and publishes them to their target. The broker does the same by itself, later and without the checks: for
 * messages that wait while no process of the service runs. It uses the publishing connection: while the broker blocks
 * that one, nothing could be forwarded anyway.
 */
export class RetryMover {
  private readonly sender: MoveSender;
  private readonly moves: Moves;
  private readonly holders = new Map<string, Holder>();
  private expected: readonly Wait[] = [];
  /** Queues that were asked for, without an answer yet. */
  private readonly asked = new Set<string>();
  private timers: (() => void)[] = [];
  private checking = false;
  private probing = false;
  private closed = false;

  constructor(private readonly options: RetryMoverOptions) {
    const { connection, clock, settings, exchangeCache: destinations, late } = options;
    const { reconnect, logger } = settings;
    this.sender = new MoveSender({
      connection,
      clock,
      reconnect,
      logger,
      onRefused: (closeReason) => destinations.refused(closeReason),
    });
    this.moves = new Moves({
      clock,
      late,
      logger,
      underWay: late.moves,
      sender: this.sender,
      targets: destinations,
    });
  }

  /** The current status. */
  status(): WaitingStatus {
    const { clock } = this.options;
    let [messages, next] = [0, Infinity];
    for (const { holder } of this.holders.values()) {
      messages += holder.size;
      next = Math.min(next, holder.nextDue ?? Infinity);
    }
    const nextDue = next === Infinity ? undefined : onWall(clock, next);
    return { messages, nextDue, queues: [...this.holders.keys()] };
  }

  /** The messages that it holds, with the names of their queues. */
  held(): { name: string; back: ReturnRoute; message: ReceivedMessage; due: number; key: string }[] {
    return [...this.holders].flatMap(([name, { holder, back }]) =>
      holder.messages.map(({ message, due, key }) => ({ name, back, message, due, key })),
    );
  }

  /** See WaitHolder.runNow. */
  runNow(key: string): Promise<boolean> | undefined {
    for (const { holder } of this.holders.values()) {
      const left = holder.runNow(key);
      if (left) return left;
    }
    return undefined;
  }

  /**
   * Forwards the messages of this queue from now on. The queue has just been declared, `anew` when it was missing
   * before: RabbitMQ 3.10 may not report a deleted queue while an ack is on its way to it, may take its consumer for
   * one of the new queue, and then keeps back as many messages as it counts as delivered to that consumer.
   */
  hold({ step, back }: Wait, anew = false): void {
    const { settings, clock, connection } = this.options;
    const name = waitName(settings.service, step, back);
    if (anew) this.holders.get(name)?.holder.renew();
    if (this.closed || back.kind === 'broadcast' || this.holders.has(name)) return;
    if (this.holders.size >= HOLDERS_MOST) return;
    const consuming = { connection, clock, logger: settings.logger, reconnect: settings.reconnect };
    const onGone = (missing: boolean): void => this.gone(name, { step, back }, holder, missing);
    const holder = new WaitHolder({
      step,
      clock,
      holdMost: holdMost(settings),
      consumer: (events) => waitConsumer(name, { ...consuming, onGone }, events),
      move: (held) => this.moves.move(held, back),
    });
    this.holders.set(name, { step, back, holder, stuckAt: undefined, begunAt: clock.monotonic() });
    holder.start();
    if (!this.checking) {
      this.checking = true;
      this.every(CHECK_EVERY, () => this.check());
    }
  }

  /** Checks now and then for queues that earlier processes or other instances of the service may have left. */
  expect(waits: readonly Wait[]): void {
    this.expected = waits.filter(({ back }) => back.kind !== 'broadcast').slice(0, HOLDERS_MOST);
    if (this.expected.length === 0) return;
    this.probe();
    if (this.probing) return;
    this.probing = true;
    this.every(PROBE_EVERY, () => this.probe());
  }

  /** The broker accepts messages again. */
  flush(): void {
    this.sender.unblocked();
  }

  /** Returns held messages when pending forwards have arrived or `expired`. Always settles. */
  async close(expired: Promise<void>): Promise<void> {
    this.closed = true;
    for (const cancel of this.timers) cancel();
    const timeout = new Promise<void>((resolve) => {
      this.timers.push(this.options.clock.after(LAST_CONFIRMS, resolve, true));
    });
    await this.sender.close(Promise.race([expired, timeout]));
    await Promise.all([...this.holders.values()].map(({ holder }) => holder.close()));
    await this.sender.end();
    for (const cancel of this.timers) cancel();
  }

  private gone(name: string, wait: Wait, holder: WaitHolder, missing: boolean): void {
    if (this.holders.get(name)?.holder === holder) this.holders.delete(name);
    void holder.close();
    const { exchangeCache: destinations } = this.options;
    if (!missing || !destinations.isWaiting(wait.step, wait.back)) return;
    // It may have been declared again at this moment; if not, the next user declares it.
    destinations.forgetWait(wait.step, wait.back);
    this.hold(wait);
  }

  private probe(): void {
    for (const wait of this.expected) {
      const name = waitName(this.options.settings.service, wait.step, wait.back);
      if (!this.holders.has(name) && !this.asked.has(name)) this.ask(name, wait);
    }
  }

  /**
   * If the queue is missing, the broker returns this message; a passive declaration would cost a channel and a line
   * in the broker's log.
   */
  private ask(name: string, wait: Wait): void {
    const question: OutgoingMessage = {
      exchange: '',
      routingKey: name,
      content: Buffer.alloc(0),
      mandatory: true,
      properties: { deliveryMode: 1, headers: { [HEADER.probe]: true } },
    };
    this.asked.add(name);
    this.sender.send(
      question,
      () => !this.closed,
      (answer) => {
        this.asked.delete(name);
        if (answer === 'confirmed') this.hold(wait);
      },
    );
  }

  // RabbitMQ may lose acks of a channel when the leader of the queue dies, and then believes that this consumer has a
  // full prefetch.
  private check(): void {
    const { connection, clock } = this.options;
    if (connection.state !== 'open') return;
    const now = clock.monotonic();
    if (mayHideDeletion(connection.server)) this.refresh(now);
    const looked = [...this.holders].filter(([, { holder, step, stuckAt }]) => {
      return holder.hungry && (stuckAt !== undefined || now - holder.takenAt < step + IDLE);
    });
    if (looked.length === 0) return;
    const checked = connection.withChannel(async (channel) => {
      for (const [name, one] of looked) {
        const before = one.holder.taken;
        const { messageCount } = await channel.checkQueue(name);
        if (messageCount === 0 || one.holder.taken !== before || !one.holder.hungry) one.stuckAt = undefined;
        else if (one.stuckAt === before) one.holder.renew();
        else one.stuckAt = before;
      }
    });
    // The consumer notices a deleted queue, and everything notices a lost connection.
    checked.catch(() => undefined);
  }

  /**
   * Consumers that received nothing for long may be cut off from a queue that was replaced: the broker cannot be
   * asked about that.
   */
  private refresh(now: number): void {
    for (const one of this.holders.values()) {
      const { holder } = one;
      if (holder.size > 0 || !holder.hungry || now - Math.max(holder.takenAt, one.begunAt) < IDLE) continue;
      one.begunAt = now;
      holder.renew();
    }
  }

  private every(ms: number, work: () => void): void {
    const place = this.timers.length;
    const { clock, upkeep = 0 } = this.options;
    const next = (): void => {
      this.timers[place] = clock.after(Math.max(ms, upkeep), () => {
        work();
        if (!this.closed) next();
      });
    };
    next();
  }
}

function holdMost({ consumerTimeout }: Settings): number {
  return consumerTimeout === 0 ? HOLD_MOST : Math.min(HOLD_MOST, consumerTimeout / 3);
}
