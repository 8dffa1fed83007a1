// What a journal remembers of messages: plain data, bounded by the number of messages and by bytes. What nothing happened
// to for longest is forgotten first.

import type { DeadLetterReason, Verdict } from '../message/delivery.js';
import type { PublishKind } from './plugin.js';

/** What went wrong. */
export interface JourneyError {
  /** Class of the error. */
  readonly name: string;
  /** At most 1000 characters. */
  readonly message: string;
}

/** The message was sent, or something was sent because of it: its reply, its retry, its dead letter. */
export interface SentStep {
  readonly what: 'sent';
  readonly kind: PublishKind;
  /** ISO 8601. */
  readonly at: string;
  /** '' is the default exchange. */
  readonly exchange: string;
  /** For the default exchange: the queue. Undefined for replies: their address is for the caller alone. */
  readonly routingKey?: string;
  /** Bytes of the body. */
  readonly bytes: number;
  /** Of a streamed reply: the number of items so far. */
  readonly items?: number;
  /** Dead letters: why. */
  readonly reason?: DeadLetterReason;
  /** Until it was confirmed, answered or failed, in ms; undefined as long as it is on its way. */
  readonly took?: number;
  /** Whether a queue got it; undefined as long as that is not known. */
  readonly routed?: boolean;
  /** How often it was sent again since the connection was lost before its confirm; undefined for none. */
  readonly resent?: number;
  /** Why it could not be sent, or the failure that a caller got. */
  readonly error?: JourneyError;
}

/** A handler got the message. */
export interface AttemptStep {
  readonly what: 'attempt';
  /** ISO 8601. */
  readonly at: string;
  readonly handler: string;
  /** The service whose handler it is. */
  readonly service: string;
  readonly queue: string;
  /** 1 for the first one. */
  readonly attempt: number;
  /** How long the handler took, its reply included, in ms; undefined as long as it runs. */
  readonly took?: number;
  /** Outcome of the attempt; `open` when the handler settles it later. Undefined as long as the handler runs. */
  readonly verdict?: Verdict['kind'];
  /** Retries: how long the message waits for the next attempt, in ms. */
  readonly wait?: number;
  /** Dead letters: why. */
  readonly reason?: DeadLetterReason;
  /** What the handler failed with. */
  readonly error?: JourneyError;
}

/** What happened to a message. */
export type JourneyStep = SentStep | AttemptStep;

/** What happened to one message, as plain data. */
export interface MessageJourney {
  /** Its message id. One without an id has a number: `(no id 7)`. That of an idempotent call is not told. */
  readonly id: string;
  /** The id of its chain of messages: that of the first one, or what its sender chose. */
  readonly correlationId?: string;
  /** The id of the message that was handled when this one was sent. */
  readonly causedBy?: string;
  /** How many of the messages before it in the list led to it: 0 for a first one. */
  readonly depth: number;
  /** The service that sent it, as its property `appId` says. */
  readonly by?: string;
  /** Where it was published to; '' is the default exchange. */
  readonly exchange: string;
  readonly routingKey: string;
  /** With `bodies`: its beginning, as text. */
  readonly body?: string;
  /** The oldest one first. */
  readonly steps: readonly JourneyStep[];
  /** How many steps are missing after the tenth one; undefined for none. */
  readonly leftOut?: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** One message as it is remembered. */
export interface JourneyRecord {
  readonly id: string;
  readonly number: number;
  correlationId: string | undefined;
  causationId: string | undefined;
  readonly by: string | undefined;
  readonly exchange: string;
  readonly routingKey: string;
  readonly body: string | undefined;
  readonly steps: Mutable<JourneyStep>[];
  leftOut: number;
  bytes: number;
  /** Its id finds a stored reply, so nobody else may see it. */
  hidden: boolean;
}

/** What is known of a message when it is first seen. */
export type JourneyFacts = Pick<
  JourneyRecord,
  'correlationId' | 'causationId' | 'by' | 'exchange' | 'routingKey' | 'body'
>;

/** Steps of one message that are kept, and how many of them are its first ones. */
const MOST_STEPS = 100;
const FIRST_STEPS = 10;

/** What an entry takes beside its text, in bytes. */
const OVERHEAD = 200;

/** Messages by their ids. */
export class JourneyStore {
  bytes = 0;
  /** The one that something happened to last is at the end. */
  private readonly records = new Map<string, JourneyRecord>();
  private made = 0;

  constructor(private readonly limits: { readonly messages: number; readonly bytes: number }) {}

  get size(): number {
    return this.records.size;
  }

  /** The message with this id, which is new when nobody knows it. */
  record(id: string, facts: () => JourneyFacts): JourneyRecord {
    const known = this.records.get(id);
    if (known) {
      this.records.delete(id);
      this.records.set(id, known);
      return known;
    }
    const given = facts();
    const record = { id, number: ++this.made, ...given, steps: [], leftOut: 0, bytes: 0, hidden: false };
    this.records.set(id, record);
    this.grew(record, OVERHEAD + textBytes({ id, ...given }));
    return record;
  }

  /** Adds a step; what is learnt of it later goes to `complete`. */
  add<Step extends JourneyStep>(record: JourneyRecord, step: Step): Mutable<Step> {
    record.steps.push(step);
    let bytes = OVERHEAD + textBytes(step);
    if (record.steps.length > MOST_STEPS) {
      const [removed] = record.steps.splice(FIRST_STEPS, 1);
      record.leftOut++;
      bytes -= OVERHEAD + textBytes(removed);
    }
    this.grew(record, bytes);
    return step;
  }

  /** Adds to a step what is known of it now. */
  complete<Step extends JourneyStep>(record: JourneyRecord, step: Mutable<Step>, more: Partial<Step>): void {
    const before = textBytes(step);
    Object.assign(step, more);
    if (record.steps.includes(step)) this.grew(record, textBytes(step) - before);
  }

  /** The messages with these ids, those of their chains, and all that these caused, as a list of trees. */
  find(ids: readonly string[]): Found<JourneyRecord>[] {
    const wanted = new Set<string | undefined>(ids);
    const all = [...this.records.values()].sort((one, other) => one.number - other.number);
    const asked = all.filter(({ id, correlationId, causationId }) =>
      [id, correlationId, causationId].some((each) => wanted.has(each)),
    );
    return trees(all, asked, ({ causationId, correlationId }) =>
      this.records.get(causationId ?? correlationId ?? ''),
    );
  }

  private grew(record: JourneyRecord, bytes: number): void {
    // Forgotten while it was on its way.
    if (this.records.get(record.id) !== record) return;
    record.bytes += bytes;
    this.bytes += bytes;
    for (const oldest of this.records.values()) {
      if (this.size <= this.limits.messages && this.bytes <= this.limits.bytes) return;
      this.records.delete(oldest.id);
      this.bytes -= oldest.bytes;
    }
  }
}

/** A message in a list of trees. */
export interface Found<T> {
  readonly found: T;
  readonly cause: T | undefined;
  /** How many of those before it led to it. */
  readonly depth: number;
}

/** Those that are asked for, and what they caused: each behind the one that caused it. */
export function trees<T>(
  all: readonly T[],
  asked: readonly T[],
  causeOf: (one: T) => T | undefined,
): Found<T>[] {
  const causes = new Map<T, T>();
  const effects = new Map<T, T[]>();
  for (const one of all) {
    const cause = causeOf(one);
    if (cause === undefined || cause === one) continue;
    causes.set(one, cause);
    const others = effects.get(cause);
    if (others) others.push(one);
    else effects.set(cause, [one]);
  }
  const wanted = new Set(asked);
  const isFirst = (one: T): boolean => {
    const cause = causes.get(one);
    return cause === undefined || !wanted.has(cause);
  };
  const found = new Map<T, Found<T>>();
  // Ids come from others, who may say of two messages that each caused the other: then neither is the first one.
  for (const first of [...asked.filter(isFirst), ...asked]) {
    const stack = [{ one: first, depth: 0 }];
    for (let next = stack.pop(); next; next = stack.pop()) {
      const { one, depth } = next;
      if (found.has(one)) continue;
      found.set(one, { found: one, cause: causes.get(one), depth });
      for (const effect of effects.get(one)?.toReversed() ?? [])
        stack.push({ one: effect, depth: depth + 1 });
    }
  }
  return [...found.values()];
}

/** A copy of what is remembered, without what is not known. */
export function journey({ found: record, cause, depth }: Found<JourneyRecord>): MessageJourney {
  const { id, hidden, correlationId, causationId, by, exchange, routingKey, body, steps, leftOut } = record;
  const causedBy = cause ? shownId(cause) : causationId;
  return {
    id: shownId(record),
    ...(correlationId !== undefined && !(hidden && correlationId === id) && { correlationId }),
    ...(causedBy !== undefined && { causedBy }),
    depth,
    ...(by !== undefined && { by }),
    exchange,
    routingKey,
    ...(body !== undefined && { body }),
    steps: steps.map((step) => ({ ...step })),
    ...(leftOut > 0 && { leftOut }),
  };
}

/** The id that others may see. */
export function shownId({ id, hidden }: Pick<JourneyRecord, 'id' | 'hidden'>): string {
  return hidden ? '(id of an idempotent call)' : id;
}

/** Bytes of the texts in it, as JavaScript keeps most of them. */
function textBytes(of: object): number {
  let bytes = 0;
  for (const value of Object.values(of) as unknown[]) {
    if (typeof value === 'string') bytes += 2 * value.length;
    else if (typeof value === 'object' && value !== null) bytes += textBytes(value);
  }
  return bytes;
}
