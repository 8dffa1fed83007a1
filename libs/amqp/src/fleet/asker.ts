// Asks: publishes a question to the exchange, and gathers answers as `gather` does, on a reply channel of its own, so that
// nothing of it counts as a call of the application.

import { EncodeError } from '../errors/errors.js';
import { RpcNoServerError } from '../errors/rpc-errors.js';
import { TopologyMissingError } from '../errors/topology-errors.js';
import type { OutgoingMessage, ReceivedMessage } from '../message/message.js';
import { newCorrelationId, newMessageId } from '../message/outgoing.js';
import { milliseconds } from '../options/duration.js';
import { whole } from '../options/option-checks.js';
import { GatherCall } from '../rpc/client/gather.js';
import { Cancellation } from '../rpc/client/cancellation.js';
import { ReplyChannel, type ReplyChannelOptions } from '../rpc/client/reply-channel.js';
import type { FleetAnswer, FleetAnswers, FleetAskOptions, FleetInstance } from './fleet.js';
import { FLEET_EXCHANGE, MOST_ANSWER, readAnswer, writeQuestion } from './wire.js';

const [USUAL, LONGEST] = [2_000, 60_000];

/** Of the answers to one question: their number, and their bytes with what is no answer. Further ones are left out. */
const MOST_ANSWERS = 5_000;
const MOST_BYTES = 16 * 1_024 * 1_024;

/** How long an instance is remembered that answered, in ms, and how many are. */
const REMEMBERED = 60_000;
const MOST_REMEMBERED = 10_000;

/** What it is made from. */
export type FleetAskerOptions = Omit<ReplyChannelOptions, 'events'>;

/** The asking side. */
export class FleetAsker {
  private readonly channel: ReplyChannel;
  /** Who answered lately, and when. */
  private readonly seen = new Map<string, { readonly from: FleetInstance; readonly at: number }>();

  constructor(private readonly options: FleetAskerOptions) {
    // Late answers are nobody's loss.
    this.channel = new ReplyChannel({ ...options, events: { emit: () => undefined } });
  }

  /** See Fleet. */
  async ask<T>(kind: string, payload: unknown, options: FleetAskOptions = {}): Promise<FleetAnswers<T>> {
    const { service, instance } = options;
    const timeout = options.timeout === undefined ? USUAL : milliseconds(options.timeout, 'timeout');
    const wrong = whole(1, LONGEST)(timeout);
    if (wrong) throw new EncodeError(`the timeout of a question must be ${wrong} milliseconds`, '');
    const expect = options.expect ?? (instance === undefined ? undefined : 1);
    const few = expect === undefined ? undefined : whole(1, 10_000)(expect);
    if (few) throw new EncodeError(`expect of a question must be ${few}`, '');
    const message = this.question(instance ?? service ?? '', writeQuestion(kind, payload), timeout);
    const gathered = await this.gather(message, timeout, expect ?? Infinity, options.signal);
    return this.sorted<T>(gathered, options, expect);
  }

  /** The broker takes messages again. */
  flush(): void {
    this.channel.flush();
  }

  close(): Promise<void> {
    return this.channel.close();
  }

  private question(routingKey: string, content: Buffer, timeout: number): OutgoingMessage {
    const { settings, clock } = this.options;
    return {
      exchange: FLEET_EXCHANGE,
      routingKey,
      content,
      mandatory: true,
      properties: {
        contentType: 'application/json',
        deliveryMode: 1,
        appId: settings.service,
        correlationId: newCorrelationId(),
        messageId: newMessageId(),
        timestamp: Math.floor(clock.wall() / 1_000),
        expiration: String(timeout),
      },
    };
  }

  private async gather(
    message: OutgoingMessage,
    timeout: number,
    expect: number,
    signal: AbortSignal | undefined,
  ): Promise<Gathering> {
    const { deadlines, clock } = this.options;
    const cancellation = signal && new Cancellation(signal, undefined, clock);
    const { exchange, routingKey, properties } = message;
    const over =
      cancellation?.error({ exchange, routingKey, correlationId: properties.correlationId ?? '' }) ??
      this.channel.closeReason(undefined);
    if (over) throw over;
    return new Promise<Gathering>((resolve, reject) => {
      const call: Question = new Question({
        message,
        timeout,
        expect,
        // `read` has what they say.
        keep: ({ content }) => ({ bytes: content.length, part: () => ({ kind: 'end' }) }),
        cancellation,
        deadlines,
        maxBytes: Infinity,
        whyUnsent: (unsent) => this.channel.whyUnsent(unsent),
        onEnd: (result) => {
          // Who answers later is not told: nothing is saved by that.
          this.channel.ended(call, false);
          if (!('error' in result)) resolve(call);
          // Nobody listens: there is no such queue, or no exchange since nobody ever did.
          else if (isNobody(result.error)) resolve({ read: [], leftOut: 0 });
          else reject(result.error);
        },
      });
      this.channel.begin(call);
    });
  }

  private sorted<T>(
    { read, leftOut }: Gathering,
    { service, instance }: FleetAskOptions,
    expect: number | undefined,
  ): FleetAnswers<T> {
    const all = new Map(read.map((answer) => [answer.from.id, answer] as const));
    const answers = [...all.values()].sort((one, other) => order(one.from, other.from));
    const asked = ({ from }: { readonly from: FleetInstance }): boolean =>
      (service === undefined || from.service === service) && (instance === undefined || from.id === instance);
    const missing = this.remember(answers).filter((each) => asked(each) && !all.has(each.from.id));
    const enough = expect === undefined ? missing.length === 0 : answers.length >= expect;
    return {
      answers: answers as readonly FleetAnswer<T>[],
      complete: enough && leftOut === 0,
      missing: missing.map(({ from }) => from),
      unreadable: leftOut,
    };
  }

  /** Returns all that answered lately. */
  private remember(answers: readonly FleetAnswer[]): { readonly from: FleetInstance }[] {
    const now = this.options.clock.monotonic();
    for (const { from } of answers) {
      this.seen.delete(from.id);
      this.seen.set(from.id, { from, at: now });
    }
    for (const [id, { at }] of this.seen) {
      if (now - at <= REMEMBERED && this.seen.size <= MOST_REMEMBERED) break;
      this.seen.delete(id);
    }
    return [...this.seen.values()];
  }
}

/** What came. `leftOut`: what was no answer, or too much. */
interface Gathering {
  readonly read: readonly FleetAnswer[];
  readonly leftOut: number;
}

/** A gathering that bad answers do not spoil, and do not end before the good ones come. */
export class Question extends GatherCall implements Gathering {
  readonly read: FleetAnswer[] = [];
  leftOut = 0;
  private held = 0;

  override onReply(reply: ReceivedMessage): void {
    const { content } = reply;
    const fits = content.length <= MOST_ANSWER && this.held + content.length <= MOST_BYTES;
    if (fits) this.held += content.length;
    const answer = fits && this.read.length < MOST_ANSWERS ? readAnswer(content) : undefined;
    if (answer === undefined) {
      this.leftOut++;
      return;
    }
    this.read.push(answer);
    super.onReply(reply);
  }
}

function isNobody(error: Error): boolean {
  return error instanceof RpcNoServerError || error instanceof TopologyMissingError;
}

function order(one: FleetInstance, other: FleetInstance): number {
  const key = ({ service, startedAt, id }: FleetInstance): string => [service, startedAt, id].join('\0');
  return key(one) < key(other) ? -1 : 1;
}
