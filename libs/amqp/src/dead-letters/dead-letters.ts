// The dead-letter client: count, peek, replay, drop. `warren dead` uses it, and applications can too. It does not
// wait for an unreachable broker, since a person may be waiting for the command.

import { PendingSend, single } from '../publish/pending-send.js';
import { Confirms } from '../publish/confirms.js';
import { systemClock } from '../runtime/clock.js';
import { Deadlines } from '../runtime/deadlines.js';
import { ConfigError } from '../errors/errors.js';
import { printable } from '../runtime/logger.js';
import type { OutgoingMessage } from '../message/message.js';
import { UnroutableError } from '../errors/publish-errors.js';
import { checkName } from '../message/outgoing.js';
import type { LiveChannel } from '../connection/channel.js';
import { deadQueueName } from '../topology/specs.js';
import {
  matchesFilter,
  isSelective,
  ownQueue,
  type DeadLetter,
  type DeadLetterFilter,
} from './dead-letter.js';
import { deadQueues, type DeadQueue } from './management.js';
import {
  replayedMessage,
  runInBatches,
  whole,
  type DeadLetterResult,
  type DeadLetterWork,
} from './batches.js';
import { connected, MOST_HELD, ready, BrowseSession, type DeadLetterConnection } from './browse-session.js';

/** Where the broker is, as in BrokerOptions. */
export interface DeadLettersOptions extends DeadLetterConnection {
  /** URL of RabbitMQ's management API, with user and password. Needed by `queues` only. */
  readonly management?: string;
  /**
   * Use queue names unchanged. Default false: `orders` and `orders.dead` both mean `orders.dead`, so that a
   * mistyped name never affects a working queue.
   */
  readonly exact?: boolean;
}

/** Which messages to peek at. */
export interface PeekOptions extends DeadLetterFilter {
  /** Maximum number of messages. Default 50. */
  readonly limit?: number;
  /** Aborting it ends the peek. */
  readonly signal?: AbortSignal;
  /** Called at the end with the number of messages read, and of those behind the 10 000 that can be held at once. */
  readonly onEnd?: (end: { readonly seen: number; readonly unseen: number }) => void;
}

/** What to replay, and where to. */
export interface ReplayOptions extends DeadLetterWork {
  /** The target queue. Default: the queue of the dead-letter queue. Required when its name does not end in `.dead`. */
  readonly to?: string;
}

/** What to drop. */
export interface DropOptions extends DeadLetterWork {
  /** Called with each batch before it is deleted, to save it. When it rejects, the batch is kept and the drop ends. */
  readonly save?: (letters: readonly DeadLetter[]) => Promise<void>;
}

const CONFIRM_TIMEOUT = 30_000;

/**
 * Works on dead-letter queues. Each call has a connection of its own and closes it. Rejects with
 * `ConnectionRefusedError`, `TopologyMissingError` (no such queue), `AccessRefusedError`, `QueueLockedError`,
 * `ConnectionLostError` (on the way; what was not done yet is in its place).
 */
export class DeadLetters {
  // Hard private: whoever prints this must not print the URL.
  readonly #options: DeadLettersOptions;

  constructor(options: DeadLettersOptions = {}) {
    this.#options = options;
  }

  /** How many messages are in the dead-letter queue of `queue`, leaving out what somebody looks at just now. */
  async count(queue: string): Promise<number> {
    const name = this.deadQueue(queue);
    return connected(this.#options, (connection) => ready(connection, name));
  }

  /** All dead-letter queues of the virtual host with their counts; asks the management API, since AMQP cannot list. */
  async queues(): Promise<readonly DeadQueue[]> {
    return deadQueues(this.#options);
  }

  /**
   * The letters in their order. They stay in the queue: held while the loop runs, back in their places when it ends.
   * Others who read the queue do not see them meanwhile.
   */
  async *peek(queue: string, options: PeekOptions = {}): AsyncGenerator<DeadLetter, void, undefined> {
    const limit = whole('limit', options.limit ?? 50);
    const wanted = matchesFilter(options, systemClock.wall());
    const cursor = isSelective(options) ? MOST_HELD : limit;
    const name = this.deadQueue(queue);
    // A generator cannot sit inside a callback: the visit ends when the loop does.
    let leave: () => void = () => undefined;
    const left = new Promise<void>((resolve) => (leave = resolve));
    let visiting: Promise<void> = Promise.resolve();
    const session = await new Promise<BrowseSession>((resolve, reject) => {
      visiting = connected(this.#options, async (connection) => {
        const begun = await BrowseSession.begin(connection, { queue: name, cursor, signal: options.signal });
        resolve(begun);
        await left;
        await begun.close();
      });
      visiting.catch(reject);
    });
    try {
      for (let found = 0; found < limit;) {
        const letter = await session.next();
        if (!letter) {
          options.onEnd?.({ seen: session.seen, unseen: session.unseen });
          return;
        }
        if (!wanted(letter)) continue;
        found++;
        yield letter;
      }
    } finally {
      leave();
      await visiting;
    }
  }

  /**
   * Sends letters to the queue of the dead-letter queue (`orders` of `orders.dead`), attempts anew, each confirmed before
   * it leaves the dead-letter queue. Takes those that were there when it began. Rejects with `UnroutableError` or
   * `PublishNackedError` when that queue is gone or full, with `ConfigError` at a letter that failed in another queue,
   * unless `to` says where they go: the letter and all behind it are in their places then.
   */
  async replay(queue: string, options: ReplayOptions = {}): Promise<DeadLetterResult> {
    const { to } = options;
    if (to !== undefined) checkName('queue', to);
    const name = this.deadQueue(queue);
    if (to === name)
      throw new ConfigError(
        `cannot replay '${name}' into itself`,
        'set another target queue with the option to',
      );
    const target = to ?? ownQueue(name);
    if (target === undefined) {
      throw new ConfigError(
        `the name '${name}' does not end in .dead, so the target queue is unknown`,
        'set the target queue with the option to',
      );
    }
    const deadlines = new Deadlines(systemClock);
    let confirms: Confirms | undefined;
    return runInBatches(this.#options, name, options, async (letters, { channel }) => {
      confirms ??= new Confirms(channel);
      const way = { channel, confirms, deadlines };
      const errors = await Promise.all(
        letters.map(async (letter) => {
          const astray = to === undefined ? strayed(letter, target) : undefined;
          return astray ?? sendOne(letter, target, way);
        }),
      );
      const done = letters.filter((_, index) => errors[index] === undefined);
      return { done, error: errors.find((error) => error !== undefined) };
    });
  }

  /** Takes letters out of the queue for good, after `save` has them. There is no way back. */
  async drop(queue: string, options: DropOptions = {}): Promise<DeadLetterResult> {
    return runInBatches(this.#options, this.deadQueue(queue), options, async (letters) => {
      await options.save?.(letters);
      return { done: letters };
    });
  }

  /** Where a replay goes that is not told otherwise: `orders` for `orders.dead`; undefined when the name does not say it. */
  ownQueue(queue: string): string | undefined {
    return ownQueue(this.deadQueue(queue));
  }

  /** The queue that is meant by a name: `orders.dead` for `orders` and for itself. */
  deadQueue(queue: string): string {
    const name = this.#options.exact || queue.endsWith('.dead') ? queue : deadQueueName(queue);
    checkName('queue', name);
    return name;
  }
}

interface Way {
  readonly channel: LiveChannel;
  readonly confirms: Confirms;
  readonly deadlines: Deadlines;
}

/** A letter of another queue, which somebody moved here or whose queue dead-letters to here. */
function strayed({ queue, position, deadQueue }: DeadLetter, target: string): Error | undefined {
  // A handler with broadcast has a queue for each instance, and dead letters together.
  if (queue === undefined || queue === target || queue.startsWith(`${target}.`)) return undefined;
  return new ConfigError(
    `message ${position} of '${deadQueue}' failed in queue '${printable(queue)}', not in '${target}'`,
    'exclude it with a filter, or set the target queue with the option to',
  );
}

/** Resolves with what went wrong. */
function sendOne(letter: DeadLetter, queue: string, way: Way): Promise<Error | undefined> {
  let message: OutgoingMessage;
  try {
    message = replayedMessage(letter, queue);
  } catch (error) {
    return Promise.resolve(error instanceof Error ? error : new Error(String(error)));
  }
  return new Promise((resolve) => {
    const onSent = (routed: boolean): void =>
      resolve(routed ? undefined : new UnroutableError('', queue, letter.id ?? 'without id'));
    const limits = { end: systemClock.monotonic() + CONFIRM_TIMEOUT, given: CONFIRM_TIMEOUT };
    const pending = new PendingSend(message, limits, single(way.deadlines), { onSent, onFailed: resolve });
    pending.send(way.channel, way.confirms);
  });
}
