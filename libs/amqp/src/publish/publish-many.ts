// A list of messages with one promise. Part of the list is under way at any time: when half of that has its outcome, as many
// follow, so that a list may be longer than the publish buffer. No message has a promise of its own.

import { ConfigError, isError, withoutFrames } from '../errors/errors.js';
import { PublishTimeoutError, UnroutableError } from '../errors/publish-errors.js';
import { eventKey, type EventContract, type QueueContract } from '../message/contract.js';
import { bodySize, type OutgoingMessage } from '../message/message.js';
import { assertFits } from '../message/schema.js';
import type { MessageOutcome } from '../options/message-list.js';
import type { PublishOptions } from '../options/publish-options.js';
import type { Params } from './contract-publish.js';
import { type SendLimits, PendingPublish } from './pending-send.js';
import type { Publisher } from './publisher.js';

/** As the list comes: the types above are for who calls. */
interface Listed {
  readonly target: string | EventContract | QueueContract;
  readonly payload: unknown;
  readonly options?: PublishOptions & Params;
}

/** Messages of one list that are under way at most. More in flight make publishing no faster. */
const AT_ONCE = 1_000;

/** How long it waits for space in a buffer that is full of other messages before it looks again, in ms. */
const PAUSE = 20;

/**
 * Publishes or sends a list; resolves with an outcome for each message, in the order of the list.
 *
 * @throws ConfigError when it is no list, or an option for all of it is invalid
 */
export async function publishMany(
  publisher: Publisher,
  kind: 'publish' | 'send',
  list: unknown,
  options: PublishOptions = {},
): Promise<MessageOutcome[]> {
  if (Array.isArray(list)) return new PublishList(publisher, kind, [...(list as Listed[])], options).run();
  throw new ConfigError(`${kind}Many was called without a list`, 'pass an array of { target, payload }');
}

class PublishList {
  private readonly outcomes: MessageOutcome[];
  private readonly atOnce: number;
  private underWay = 0;
  /** Of the bodies that are under way. */
  private bytes = 0;
  /** Of messages without options: from the time of their turn on. */
  private limits: SendLimits;
  /** Whether the broker accepted any since this was last looked at, and when that was. */
  private accepted = false;
  private acceptedAt: number;
  /** The broker accepted none for too long: what has no turn yet is not sent. */
  private givenUp = false;
  private wakeAt = -1;
  private wake: () => void = () => undefined;

  constructor(
    private readonly publisher: Publisher,
    private readonly kind: 'publish' | 'send',
    private readonly list: readonly Listed[],
    private readonly options: PublishOptions,
  ) {
    const { settings, clock } = publisher.options;
    this.outcomes = new Array<MessageOutcome>(list.length);
    this.atOnce = Math.min(AT_ONCE, settings.publish.buffer.messages);
    this.limits = publisher.limits(options);
    this.acceptedAt = clock.monotonic();
  }

  // An async function goes on in the context of its caller, which plugins and correlation ids depend on: callbacks of
  // confirms run in another one.
  async run(): Promise<MessageOutcome[]> {
    for (let index = 0; index < this.list.length; index++) {
      try {
        const { target, payload, options: own } = this.list[index];
        const options = own === undefined ? this.options : { ...this.options, ...own };
        const contract = typeof target === 'string' ? undefined : target;
        const name = contract ? await nameIn(contract, payload, own?.params) : (target as string);
        const message = this.build(name, payload, options);
        if (!this.hasSpace(message)) await this.space(message);
        const limits = own === undefined && !contract ? this.limits : this.publisher.limits(options);
        this.begin(index, message, payload, options, limits, contract);
      } catch (error) {
        this.outcomes[index] = { error: isError(error) ? error : new Error(String(error)) };
      }
    }
    await this.underWayAtMost(0);
    return this.outcomes;
  }

  private build(name: string, payload: unknown, options: PublishOptions): OutgoingMessage {
    const { settings } = this.publisher.options;
    const exchange = this.kind === 'send' ? '' : (options.exchange ?? settings.exchange);
    return this.publisher.build(exchange, name, payload, options);
  }

  private begin(
    index: number,
    message: OutgoingMessage,
    payload: unknown,
    { delay, mandatory }: PublishOptions,
    limits: SendLimits,
    contract: EventContract | QueueContract | undefined,
  ): void {
    const { publisher } = this;
    const { events, plugins } = publisher.options;
    const { exchange, content } = message;
    const size = bodySize(content);
    const mustRoute = mandatory ?? exchange === '';
    const settle = (outcome: MessageOutcome): void => {
      this.outcomes[index] = outcome;
      this.bytes -= size;
      if (outcome.receipt || outcome.error instanceof UnroutableError) this.accepted = true;
      if (--this.underWay <= this.wakeAt) this.wake();
    };
    const publication = new PendingPublish(
      ...([events, message, payload, mustRoute] as const),
      (receipt) => settle({ receipt }),
      (error) => settle({ error }),
    );
    this.underWay++;
    this.bytes += size;
    const template = contract?.kind === 'event' ? contract.key : undefined;
    try {
      if (plugins.none) publisher.begin(message, limits, delay, mustRoute, publication);
      else {
        const way = { limits, delay, mustRoute, template };
        publisher.plugged(exchange === '' ? 'send' : 'publish', message, payload, way, publication);
      }
    } catch (error) {
      publication.onFailed(error as Error);
    }
  }

  // What is under way may have to wait in the buffer as well, so it counts twice when it does: half of the buffer stays for
  // others.
  private hasSpace(message: OutgoingMessage): boolean {
    if (this.givenUp || this.underWay >= this.atOnce) return false;
    const sender = this.publisher.options.senders.of(message);
    return sender.hasSpace(this.underWay + 1, this.bytes + bodySize(message.content));
  }

  /** Waits for space. @throws PublishTimeoutError */
  private async space(message: OutgoingMessage): Promise<void> {
    do {
      if (this.givenUp) throw this.noTurn(message);
      await (this.underWay === 0 ? this.pause() : this.underWayAtMost(this.underWay >> 1));
      const now = this.publisher.options.clock.monotonic();
      this.limits = this.publisher.limits(this.options);
      if (this.accepted) this.acceptedAt = now;
      else if (now - this.acceptedAt >= this.limits.given) this.givenUp = true;
      this.accepted = false;
    } while (!this.hasSpace(message));
  }

  private noTurn({ exchange, routingKey, properties }: OutgoingMessage): Error {
    const { given } = this.limits;
    const why = 'the broker accepted no message of its list in this time';
    return withoutFrames(
      () => new PublishTimeoutError(exchange, routingKey, given, why, properties.messageId),
    );
  }

  private underWayAtMost(count: number): Promise<void> {
    if (this.underWay <= count) return Promise.resolve();
    return new Promise((resolve) => {
      this.wakeAt = count;
      this.wake = () => {
        this.wakeAt = -1;
        resolve();
      };
    });
  }

  private pause(): Promise<void> {
    const { deadlines } = this.publisher.options.senders.main;
    return new Promise((resolve) => void deadlines.set(PAUSE, resolve));
  }
}

/** The key or queue of a contract. @throws EncodeError when payload or params do not fit */
async function nameIn(
  contract: EventContract | QueueContract,
  payload: unknown,
  params: Params['params'],
): Promise<string> {
  if (contract.kind === 'queue') {
    await assertFits(contract.payload, payload, `the queue '${contract.name}'`);
    return contract.name;
  }
  const key = eventKey(contract, params);
  await assertFits(contract.payload, payload, `the event '${contract.key}'`);
  return key;
}
