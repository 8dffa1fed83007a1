// The messages that exchanges of type `x-delayed-message` hold back, in the order in which they are due. As with the
// plugin, the header `x-delay` says for how many milliseconds and is negative afterwards.
import { encodeTable, type Field } from '../wire/field-table.js';
import { changeProperties, tableProperty } from '../wire/properties.js';
import type { Clock } from './clock.js';
import { DueList } from './due-list.js';
import type { Exchange } from './exchange.js';
import { Alarm } from './expiry.js';
import { Message } from './message.js';
import { isInteger } from './queue-settings.js';

const HEADER = 'x-delay';
/** The longest delay, in milliseconds; more than that is none. */
const MAX_DELAY = 2 ** 32 - 1;

interface Delayed {
  readonly at: number;
  readonly order: number;
  readonly exchange: Exchange;
  readonly message: Message;
  readonly entry: number;
}

export interface DelayedContext {
  readonly clock: Clock;
  hold(message: Message): void;
  release(message: Message): void;
  /** Answers with its number in the journal, 0 when it is not kept. */
  keep(exchange: Exchange, message: Message, at: number): number;
  forget(entry: number): void;
  /** The time of a message has come. */
  due(exchange: Exchange, message: Message): void;
}

export class DelayedMessages {
  private readonly list = new DueList<Delayed>([]);
  private readonly alarm: Alarm;
  private order = 0;

  constructor(private readonly context: DelayedContext) {
    this.alarm = new Alarm(context.clock, () => this.ring());
  }

  /** Takes a message that has a delay; false when it has none and must go on at once. */
  take(exchange: Exchange, message: Message): boolean {
    const delay = delayOf(message);
    if (delay === undefined || !(delay > 0 && delay <= MAX_DELAY)) return false;
    const at = this.context.clock.now() + delay;
    this.add(exchange, message, at, this.context.keep(exchange, message, at));
    return true;
  }

  /** Holds a message back until then. */
  add(exchange: Exchange, message: Message, at: number, entry: number): void {
    this.context.hold(message);
    this.list.push({ at, order: (this.order += 1), exchange, message, entry });
    this.alarm.noLaterThan(at);
  }

  /** Drops all of them. */
  stop(): void {
    this.alarm.off();
    for (let next = this.list.shift(); next; next = this.list.shift()) {
      this.context.release(next.message);
      if (next.entry > 0) this.context.forget(next.entry);
    }
  }

  private ring(): void {
    const now = this.context.clock.now();
    for (let next = this.list.peek(); next && next.at <= now; next = this.list.peek()) {
      this.list.shift();
      this.context.release(next.message);
      this.context.due(next.exchange, passed(next.message));
      // Last, so that a crash in between repeats it and does not lose it.
      if (next.entry > 0) this.context.forget(next.entry);
    }
    const next = this.list.peek();
    if (next) this.alarm.noLaterThan(next.at);
  }
}

/** Integers, and what the plugin makes integers of. */
function delayOf({ headers }: Message): number | undefined {
  const field = headers.get(HEADER);
  if (!field) return undefined;
  if (isInteger(field)) return Number(field.value);
  if (field.type === 'double' || field.type === 'float') return Math.trunc(Number(field.value));
  return field.type === 'longstr' && /^[+-]?[0-9]+$/.test(field.value) ? Number(field.value) : undefined;
}

function passed(message: Message): Message {
  const value = -(delayOf(message) as number);
  const field: Field = value < -(2 ** 31) ? { type: 'long', value } : { type: 'signedint', value };
  const headers = encodeTable(new Map([...message.headers, [HEADER, field]]));
  const properties = changeProperties(message.properties, [['headers', tableProperty(headers)]]);
  return new Message(message.exchange, message.routingKeys, properties, message.body, message.history);
}
