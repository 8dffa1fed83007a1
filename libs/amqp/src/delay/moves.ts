import type { Clock } from '../runtime/clock.js';
import {
  forwardableProperties,
  HEADER,
  safeHeaders,
  writable,
  RETURN_EXCHANGE,
  UNROUTABLE_RETRIES,
  type ReturnRoute,
} from '../message/headers.js';
import { describeError, printable, type Log } from '../runtime/logger.js';
import type { OutgoingMessage } from '../message/message.js';
import { LATE, type LateRetries } from '../events/late-retries.js';
import type { Held } from './wait-holder.js';
import type { MovesInProgress } from '../message/moves-in-progress.js';

/** The result of a publish. `refused`: it will never be accepted unchanged. */
export type MoveOutcome =
  'confirmed' | 'returned' | 'nacked' | 'lost' | 'refused' | { readonly refused: string };

/** Publishes. */
export interface MovingSender {
  /** Sends it when possible, if `wanted` still says so. Reports the result once, or never when it was not wanted. */
  send(message: OutgoingMessage, wanted: () => boolean, tell: (outcome: MoveOutcome) => void): void;
  /** A message was nacked: the channel may be the cause. */
  doubt(): void;
}

/** What must exist before a message is published to it. */
export interface MoveTargets {
  /** Undefined when the exchange is known to exist. */
  ensureExchange(exchange: string): Promise<void> | undefined;
  ensureOrphans(): Promise<void>;
  /** Resolves with the exchange of the wait queue. */
  ensureWait(step: number, back: ReturnRoute): Promise<string>;
}

/** Dependencies of moves. */
export interface MovesOptions {
  readonly clock: Clock;
  readonly sender: MovingSender;
  readonly targets: MoveTargets;
  readonly late: LateRetries;
  readonly underWay: MovesInProgress;
  readonly logger: Log;
}

/** A target that accepts no message for this long is suspended, in ms. */
const GIVEN_UP_AFTER = 8_000;

/** Delay before a message is published again, in ms. */
const PAUSE = 1_000;

/** The wait of messages that are set aside, in ms. */
export const ASIDE = 10_000;

/** A suspended target is not tried for this long, in ms. */
const NOT_TRIED = 5_000;

/** Maximum number of suspended targets to remember. */
const TARGETS_MOST = 1_000;

/** The same problem is not logged again for this long, in ms. */
const SAID = 30_000;

interface Moving {
  readonly held: Held;
  readonly back: ReturnRoute;
  /** Marks the copy as set aside. */
  readonly id: string;
  readonly began: number;
  /** Counted as late. */
  late: boolean;
  /** Its queue did not exist. */
  returned: boolean;
}

/**
 * Forwards messages from their wait queue to their target, one at a time: publish, confirm, then ack. A message whose
 * target does not accept it is set aside for ten seconds, so that it blocks no other; one whose queue is missing goes
 * to the queue of unroutable retries, for an operator.
 */
export class Moves {
  /** Targets that accepted no messages, and since when. */
  private readonly givenUp = new Map<string, number>();
  /** Queues that were missing twice, and when. */
  private readonly gone = new Map<string, number>();
  private readonly said = new Map<string, number>();
  /** In the order in which they began. */
  private readonly underWay = new Set<Moving>();
  private watching = false;

  constructor(private readonly options: MovesOptions) {}

  /** Forwards a message whose delay is over. Calls `held` when that is done; until then it is tried again. */
  move(held: Held, back: ReturnRoute): void {
    const moving: Moving = {
      held,
      back,
      id: this.options.underWay.begin(),
      began: this.options.clock.monotonic(),
      late: false,
      returned: false,
    };
    this.underWay.add(moving);
    if (held.lateBy > LATE) this.late(moving);
    this.watch();
    this.attempt(moving);
  }

  private attempt(moving: Moving): void {
    const { held, back } = moving;
    if (!held.alive) return this.abandoned(moving);
    const since = this.givenUp.get(targetOf(moving));
    if (since !== undefined && this.options.clock.monotonic() - since < NOT_TRIED)
      return this.setAside(moving);
    const ready = this.options.targets.ensureExchange(exchangeOf(back));
    if (ready === undefined) return this.publish(moving);
    ready.then(
      () => this.publish(moving),
      (error: unknown) => this.refused(moving, describeError(error)),
    );
  }

  private publish(moving: Moving, withUser = true): void {
    const { held, back, id } = moving;
    const message = movedMessage(held, back, withUser, id);
    this.options.sender.send(
      message,
      () => this.isWanted(moving),
      (outcome) => {
        if (outcome === 'confirmed') return this.arrived(moving);
        if (!held.alive) return this.abandoned(moving);
        if (outcome === 'returned') return this.returned(moving);
        if (outcome === 'nacked' || outcome === 'lost') return this.failed(moving, outcome);
        // The publish may have had another user than this connection, and the broker checks it.
        if (withUser && message.properties.userId !== undefined) return this.publish(moving, false);
        this.refused(moving, outcome === 'refused' ? 'the broker refused it' : outcome.refused);
      },
    );
  }

  private arrived(moving: Moving): void {
    this.givenUp.delete(targetOf(moving));
    this.done(moving);
  }

  private done(moving: Moving, more = 0, arrived = true): void {
    const ms = this.lateness(moving) + more;
    if (moving.late) this.options.late.longer(ms);
    else this.options.late.note(ms);
    this.underWay.delete(moving);
    moving.held.done(arrived);
    this.options.underWay.acked(moving.id, moving.held.taken);
  }

  private isWanted(moving: Moving): boolean {
    if (moving.held.alive) return true;
    this.abandoned(moving);
    return false;
  }

  /** The broker has it again, with its channel. A copy may have arrived: nothing will ack what it would wait for. */
  private abandoned(moving: Moving): void {
    this.underWay.delete(moving);
    this.options.underWay.acked(moving.id, () => Promise.resolve());
  }

  private failed(moving: Moving, outcome: 'nacked' | 'lost'): void {
    if (outcome === 'nacked') this.options.sender.doubt();
    const { clock } = this.options;
    if (clock.monotonic() - moving.began >= GIVEN_UP_AFTER)
      return this.giveUp(moving, `publishes to it are ${outcome}`);
    clock.after(PAUSE, () => this.attempt(moving));
  }

  private refused(moving: Moving, why: string): void {
    this.giveUp(moving, why);
  }

  private giveUp(moving: Moving, why: string): void {
    const target = targetOf(moving);
    this.note(this.givenUp, target, this.options.clock.monotonic());
    this.say(
      `retried or delayed messages for ${target} cannot be delivered (${printable(why)}); trying again every ${ASIDE / 1_000} s`,
    );
    this.setAside(moving);
  }

  private setAside(moving: Moving): void {
    const { targets, sender, clock } = this.options;
    const { held, back } = moving;
    const again = (): void => void clock.after(ASIDE, () => this.attempt(moving));
    targets.ensureWait(ASIDE, back).then((exchange) => {
      const due = { [HEADER.due]: clock.wall() + ASIDE };
      const { properties } = movedMessage(held, back, false);
      const message: OutgoingMessage = {
        exchange,
        routingKey: held.message.routingKey,
        content: held.message.content,
        mandatory: true,
        properties: { ...properties, headers: { ...properties.headers, ...due } },
      };
      sender.send(
        message,
        () => this.isWanted(moving),
        (outcome) => {
          if (outcome === 'confirmed') this.done(moving, ASIDE, false);
          else if (this.isWanted(moving)) again();
        },
      );
    }, again);
  }

  /** A consumer whose queue was deleted declares it again within moments. */
  private returned(moving: Moving): void {
    const now = this.options.clock.monotonic();
    const target = targetOf(moving);
    if (moving.returned) this.note(this.gone, target, now);
    if (now - (this.gone.get(target) ?? -Infinity) < NOT_TRIED) return this.orphan(moving);
    moving.returned = true;
    this.options.clock.after(PAUSE, () => this.attempt(moving));
  }

  private orphan(moving: Moving): void {
    const { targets, sender, clock } = this.options;
    const { held, back } = moving;
    const again = (): void => void clock.after(ASIDE, () => this.attempt(moving));
    targets.ensureOrphans().then(() => {
      const message = { ...movedMessage(held, back, false), exchange: RETURN_EXCHANGE };
      sender.send(
        message,
        () => this.isWanted(moving),
        (outcome) => {
          if (outcome === 'confirmed') {
            this.say(
              `queue '${printable(held.message.routingKey)}' does not exist: its retried and delayed messages go to '${UNROUTABLE_RETRIES}'; declare it and move them back`,
            );
            this.done(moving, 0, false);
          } else if (this.isWanted(moving)) again();
        },
      );
    }, again);
  }

  /** A message that is pending for too long is reported as late before it has arrived. */
  private watch(): void {
    if (this.watching) return;
    const { clock } = this.options;
    for (const moving of this.underWay) {
      if (clock.monotonic() - moving.began <= LATE) break;
      this.underWay.delete(moving);
      if (moving.held.alive) this.late(moving);
    }
    if (this.underWay.size === 0) return;
    this.watching = true;
    clock.after(PAUSE, () => {
      this.watching = false;
      this.watch();
    });
  }

  private late(moving: Moving): void {
    if (moving.late) return;
    moving.late = true;
    this.options.late.note(Math.max(this.lateness(moving), LATE + 1));
  }

  private lateness({ held }: Moving): number {
    return held.lateBy + this.options.clock.monotonic() - held.due;
  }

  private say(line: string): void {
    const now = this.options.clock.monotonic();
    const before = this.said.get(line);
    if (before !== undefined && now - before < SAID) return;
    this.note(this.said, line, now);
    this.options.logger.warn(line, { event: 'wait-queue-failed' });
  }

  private note(map: Map<string, number>, key: string, now: number): void {
    if (map.size >= TARGETS_MOST) map.clear();
    map.set(key, now);
  }
}

function exchangeOf(back: ReturnRoute): string {
  return back.kind === 'delay' ? back.exchange : '';
}

/** For log lines and as a key. */
function targetOf({ held, back }: Moving): string {
  const exchange = exchangeOf(back);
  return exchange === '' ? `queue '${held.message.routingKey}'` : `exchange '${exchange}'`;
}

/** The message as it was published, without the headers of its wait. */
function movedMessage({ message }: Held, back: ReturnRoute, withUser: boolean, id?: string): OutgoingMessage {
  const { content, routingKey, properties } = message;
  const exchange = exchangeOf(back);
  const headers: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(safeHeaders(properties.headers))) {
    if (!OF_THE_WAIT.has(name)) headers[name] = writable(value);
  }
  if (id !== undefined) headers[HEADER.move] = id;
  const { userId, ...rest } = forwardableProperties(properties);
  const kept = withUser && userId !== undefined ? { ...rest, userId } : rest;
  // An exchange without subscribers is not an error.
  return { exchange, routingKey, content, properties: { ...kept, headers }, mandatory: exchange === '' };
}

const OF_THE_WAIT: ReadonlySet<string> = new Set([
  HEADER.due,
  HEADER.move,
  'x-delivery-count',
  'x-acquired-count',
]);
