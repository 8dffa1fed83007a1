// A plugin that remembers what happened to the last messages of this process, and answers by message id or correlation id.
// For development, and for a question in production that has no trace.

import { approachable, thrownFacts } from '../errors/error-facts.js';
import { ConfigError } from '../errors/errors.js';
import type { DeadLetterReason, Delivery, Verdict } from '../message/delivery.js';
import { HEADER } from '../message/headers.js';
import { type Clock, systemClock } from '../runtime/clock.js';
import { chain } from '../runtime/maybe-promise.js';
import { newMessageId } from '../message/outgoing.js';
import { journeyAnswer } from './journey-answer.js';
import { journeyText } from './journey-text.js';
import {
  type AttemptStep,
  journey,
  type JourneyError,
  type JourneyFacts,
  type JourneyRecord,
  JourneyStore,
  type MessageJourney,
  type SentStep,
} from './journey.js';
import type {
  HandlerInfo,
  Plugin,
  PublishContext,
  PublishKind,
  PublishNext,
  PublishResult,
} from './plugin.js';

/** What a journal keeps, and how much of it. */
export interface JournalOptions {
  /** Maximum number of messages. Those that nothing happened to for longest are forgotten. Default 1000. */
  readonly messages?: number | undefined;
  /** Maximum number of bytes of memory, roughly. Default 16 MiB. */
  readonly bytes?: number | undefined;
  /** Whether it keeps bodies: up to `bodyBytes` of each. Default false: they may be confidential. */
  readonly bodies?: boolean | undefined;
  /** Maximum number of bytes that are kept of a body. Default 1024. */
  readonly bodyBytes?: number | undefined;
}

/** A plugin that is asked what happened to a message. */
export interface Journal extends Plugin {
  /**
   * What happened to the message with this message id, to those of the chain with this correlation id, and to the
   * messages that these caused: each behind the one that caused it. Copies, which can be written as JSON. Empty when
   * nothing is known.
   */
  of(id: string): readonly MessageJourney[];
  /** The same as text for people, with nothing in it that a terminal would obey. */
  print(id: string): string;
}

/**
 * A journal of the messages that this process sends and handles. It can be given to several broker objects: they write
 * into one journal then.
 *
 * @example
 * const messages = journal({ messages: 1000 });
 * RabbitModule.forRoot({ plugins: [messages] });
 * console.log(messages.print('Hq2W3dVx9cJ0mX4b'));
 */
export function journal(options: JournalOptions = {}): Journal {
  const recorder = new JournalRecorder({
    messages: whole('messages', options.messages, 1_000),
    bytes: whole('bytes', options.bytes, 16 * 1_024 * 1_024),
    bodyBytes: options.bodies ? whole('bodyBytes', options.bodyBytes, 1_024) : 0,
  });
  const { store } = recorder;
  const id = newMessageId();
  const of = (asked: string): readonly MessageJourney[] => store.find([asked]).map(journey);
  return {
    name: 'journal',
    start(host) {
      recorder.clock = host.clock;
      host.on(({ delivery }) => recorder.settled(delivery), ['settled']);
      host.fleet.answer('journey', (question) => journeyAnswer(id, store, question));
    },
    publish: (next) => (context) => recorder.sent(context, next),
    delivery(next, handler) {
      return (delivery) => {
        const ended = recorder.began(delivery, handler);
        return chain(next(delivery), ended);
      };
    },
    batch(next, handler) {
      return async (deliveries) => {
        const endings = deliveries.map((delivery) => recorder.began(delivery, handler));
        const verdicts = await next(deliveries);
        endings.forEach((ended, index) => ended(verdicts[index]));
        return verdicts;
      };
    },
    status: () => ({ messages: store.size, bytes: store.bytes }),
    of,
    print: (asked) => journeyText(asked, of(asked)),
  };
}

function whole(name: string, value: number | undefined, usual: number): number {
  if (value === undefined) return usual;
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new ConfigError(`journal: ${name} must be a positive integer`, '');
}

/** Writes into the store what plugins see. */
class JournalRecorder {
  readonly store: JourneyStore;
  clock: Clock = systemClock;
  private readonly bodyBytes: number;
  /** Those of deliveries without an id. */
  private readonly numbers = new WeakMap<Delivery, string>();
  private numbered = 0;
  /** What completes the step of a delivery that its handler settles after it returned. */
  private readonly open = new WeakMap<Delivery, (verdict: Verdict) => void>();

  constructor(limits: { readonly messages: number; readonly bytes: number; readonly bodyBytes: number }) {
    this.store = new JourneyStore(limits);
    this.bodyBytes = limits.bodyBytes;
  }

  async sent(context: PublishContext, next: PublishNext): Promise<PublishResult> {
    const { store, clock } = this;
    const record = context.delivery ? this.received(context.delivery) : this.leaving(context);
    if (context.idempotent) record.hidden = true;
    const began = clock.monotonic();
    const step = this.sentStep(record, context);
    const took = (): number => Math.round(clock.monotonic() - began);
    try {
      const result = await next(context);
      const { routed, resent } = result;
      store.complete<SentStep>(record, step, { took: took(), routed, ...(resent && { resent }) });
      return result;
    } catch (error) {
      store.complete<SentStep>(record, step, { took: took(), error: failure(error) });
      throw error;
    }
  }

  /** Returns what is called with the verdict, and returns that. */
  began(delivery: Delivery, { id: handler, service }: HandlerInfo): (verdict: Verdict) => Verdict {
    const { store, clock } = this;
    const record = this.received(delivery);
    const began = clock.monotonic();
    const { queue, attempt } = delivery;
    const step = store.add<AttemptStep>(record, {
      what: 'attempt',
      at: this.now(),
      handler,
      service,
      queue,
      attempt,
    });
    return (verdict) => {
      if (delivery.call?.idempotent) record.hidden = true;
      const complete = (outcome: Verdict): void => {
        const took = Math.round(clock.monotonic() - began);
        store.complete<AttemptStep>(record, step, { took, ...decided(outcome) });
      };
      // What the handler decided by itself is what counts.
      const outcome = delivery.decided ?? verdict;
      complete(outcome);
      if (outcome.kind === 'open') this.open.set(delivery, complete);
      return verdict;
    };
  }

  /** A delivery was settled, maybe long after its handler returned. */
  settled(delivery: Delivery): void {
    const { decided: outcome } = delivery;
    if (outcome) this.open.get(delivery)?.(outcome);
    this.open.delete(delivery);
  }

  private sentStep(record: JourneyRecord, context: PublishContext): SentStep {
    const { kind, exchange, routingKey, content, properties, part } = context;
    const last = record.steps.at(-1);
    // The items of a streamed reply are one step.
    if (part !== undefined && part > 1 && last?.what === 'sent' && last.kind === kind) {
      this.store.complete<SentStep>(record, last, { items: part, bytes: last.bytes + content.length });
      return last;
    }
    return this.store.add<SentStep>(record, {
      what: 'sent',
      kind,
      at: this.now(),
      exchange,
      ...(kind !== 'reply' && { routingKey }),
      bytes: content.length,
      ...(part !== undefined && { items: part }),
      ...(kind === 'dead-letter' && { reason: properties.headers?.[HEADER.reason] as DeadLetterReason }),
    });
  }

  private leaving(context: PublishContext): JourneyRecord {
    const { exchange, routingKey, properties, content } = context;
    return this.store.record(properties.messageId || `(no id ${++this.numbered})`, () => ({
      ...chainOf(context),
      by: properties.appId,
      exchange,
      routingKey,
      body: this.body(content),
    }));
  }

  private received(delivery: Delivery): JourneyRecord {
    const { message, exchange, routingKey, correlationId, causationId } = delivery;
    const { content, properties } = message;
    return this.store.record(this.idOf(delivery), () => ({
      correlationId,
      causationId,
      by: properties.appId,
      exchange,
      routingKey,
      body: this.body(content),
    }));
  }

  private idOf(delivery: Delivery): string {
    const { messageId } = delivery.message.properties;
    if (typeof messageId === 'string' && messageId !== '') return messageId;
    let number = this.numbers.get(delivery);
    if (number === undefined) this.numbers.set(delivery, (number = `(no id ${++this.numbered})`));
    return number;
  }

  private body(content: Buffer): string | undefined {
    return this.bodyBytes === 0 ? undefined : content.toString('utf8', 0, this.bodyBytes);
  }

  private now(): string {
    return new Date(this.clock.wall()).toISOString();
  }
}

const CALLS: ReadonlySet<PublishKind> = new Set(['request', 'stream', 'gather']);

/** The correlation id of a call is the secret of its reply: its chain is in a header. */
function chainOf({ kind, properties }: PublishContext): Pick<JourneyFacts, 'correlationId' | 'causationId'> {
  const { replyTo, messageId, headers } = properties;
  // A request gets its reply address only when it is sent.
  const isCall = CALLS.has(kind) || replyTo !== undefined;
  const own = isCall ? undefined : properties.correlationId;
  const correlation = headers?.[HEADER.correlation] ?? own ?? messageId;
  const causation = headers?.[HEADER.causation];
  return {
    correlationId: typeof correlation === 'string' ? correlation : undefined,
    causationId: typeof causation === 'string' ? causation : undefined,
  };
}

function decided(verdict: Verdict): Pick<AttemptStep, 'verdict' | 'wait' | 'reason' | 'error'> {
  switch (verdict.kind) {
    case 'retry':
      return { verdict: 'retry', wait: verdict.after, error: failure(verdict.error) };
    case 'dead-letter':
      return { verdict: 'dead-letter', reason: verdict.reason, error: failure(verdict.error) };
    default:
      return { verdict: verdict.kind };
  }
}

const LONGEST = 1_000;

function failure(thrown: unknown): JourneyError {
  const { name, message } = thrownFacts(approachable(thrown));
  return { name: name.slice(0, LONGEST), message: message.slice(0, LONGEST) };
}
