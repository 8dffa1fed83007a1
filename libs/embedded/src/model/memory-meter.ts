// Measures the memory that clients use: messages in queues (each counted once), declarations, and what clients do not
// read. Beyond the limit publishers are blocked and declarations are refused. Incomplete bodies and open transactions have a separate limit,
// because a blocked client could not complete them.
import { AmqpFailure, precondition } from './failure.js';
import type { Message } from './message.js';

/** Publishers are unblocked when usage falls below this share of the limit. */
const CALM = 0.8;

/** What a further queue that holds a message takes. */
const PLACE_COST = 128;

/** What can be declared. */
const COSTS = { queue: 2_048, exchange: 1_024, binding: 1_024, consumer: 1_024 };

/** Encoded arguments become objects and, for bindings, parts of an id. */
const ARGUMENTS = 4;

/** Where what is declared is counted. */
export type DeclaredMemory = Pick<MemoryMeter, 'declare' | 'remove'>;

export class MemoryMeter {
  private messages = 0;
  private declared = 0;
  private arriving = 0;
  private unread = 0;
  private alarmed = false;
  private readonly things = new Map<object, number>();

  constructor(
    /** Bytes; Infinity for no limit. */
    private limit: number,
    private readonly onAlarm: (alarmed: boolean) => void,
    /** The largest message, which is always accepted. */
    private readonly largest = Infinity,
  ) {}

  get held(): number {
    return this.messages + this.declared + this.arriving + this.unread;
  }

  /** Another limit from now on. */
  limitTo(limit: number): void {
    this.limit = limit;
    this.check();
  }

  hold(message: Message): void {
    message.holders += 1;
    this.messages += message.holders > 1 ? PLACE_COST : message.cost;
    this.check();
  }

  release(message: Message): void {
    message.holders -= 1;
    this.messages -= message.holders > 0 ? PLACE_COST : message.cost;
    this.check();
  }

  /** Something new is declared. @throws AmqpFailure 406 when declarations alone take all memory */
  declare(what: keyof typeof COSTS, thing: object, name: string, argumentBytes: number): void {
    const cost = COSTS[what] + 2 * name.length + ARGUMENTS * argumentBytes;
    if (this.declared + cost > this.limit) {
      throw precondition(`cannot declare ${what} '${name}': memory limit (${this.limit} bytes) is reached`);
    }
    this.things.set(thing, cost);
    this.declared += cost;
    this.check();
  }

  /** It is gone. */
  remove(thing: object): void {
    this.declared -= this.things.get(thing) ?? 0;
    this.things.delete(thing);
    this.check();
  }

  /** Bytes of a message that is not in a queue yet. @throws AmqpFailure 506 when there are too many of them */
  arrive(bytes: number): void {
    if (this.arriving + bytes > Math.max(this.limit / 2, this.largest)) {
      throw new AmqpFailure(506, `incomplete messages take half of the memory limit (${this.limit} bytes)`);
    }
    this.arriving += bytes;
  }

  /** They are in a queue, or were given up. */
  arrived(bytes: number): void {
    this.arriving -= bytes;
  }

  /** Bytes that wait for a client to read them have become more, or less. */
  unsent(change: number): void {
    if (change === 0) return;
    this.unread += change;
    this.check();
  }

  private check(): void {
    const used = this.messages + this.declared + this.unread;
    if (!this.alarmed && used > this.limit) this.set(true);
    else if (this.alarmed && used <= this.limit * CALM) this.set(false);
  }

  private set(alarmed: boolean): void {
    this.alarmed = alarmed;
    this.onAlarm(alarmed);
  }
}
