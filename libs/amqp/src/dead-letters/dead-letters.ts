// The dead-letter client: count, peek, replay, drop. `warren dead` uses it, and applications can too. It does not
// wait for an unreachable broker, since a person may be waiting for the command.

import { PendingSend, single } from '../publish/pending-send.js';
import { Confirms } from '../publish/confirms.js';
import { Deadlines, systemClock } from '../runtime/clock.js';
import { ConfigError } from '../errors/errors.js';
import { CONSOLE, printable } from '../runtime/logger.js';
import type { Plugin, PublishResult } from '../plugins/plugin.js';
import { Plugins } from '../plugins/plugins.js';
import { TABLE_BYTES } from '../message/headers.js';
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
  type DeadLetterConnection,
  type DeadLetterFilter,
  type DeadLetterResult,
  type DeadLetterWork,
} from './dead-letter.js';
import { deadQueues, type DeadQueue } from './management.js';
import { replayedMessage, runInBatches, whole } from './batches.js';
import {
  BrowseSession,
  connected,
  deadLetterSettings,
  FIRST_LETTERS,
  MOST_HELD,
  ready,
} from './browse-session.js';

/** Where the broker is, as in BrokerOptions. */
export interface DeadLettersOptions extends DeadLetterConnection {
  /** URL of RabbitMQ's management API, with user and password. Needed by `queues` only. */
  readonly management?: string;
  /**
   * Use queue names unchanged. Default false: `orders` and `orders.dead` both mean `orders.dead`, so that a
   * mistyped name never affects a working queue.
   */
  readonly exact?: boolean;
  /** Around each replay, with the kind `replay`: see docs/plugins.md. Their `start` and `stop` are not called. Default: none. */
  readonly plugins?: readonly Plugin[];
}

/** Which messages to peek at. */
export interface PeekOptions extends DeadLetterFilter {
  /** Maximum number of messages. Default 50. */
  readonly limit?: number;
  /** Aborting it ends the peek. */
  readonly signal?: AbortSignal;
  /** Called at the end with the number of messages read, and of those behind what can be held: 10 000, fewer large ones. */
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
 * Works on dead-letter queues. Each call opens and closes its own connection. Rejects with `ConnectionRefusedError`,
 * `TopologyMissingError` (queue not found), `AccessRefusedError`, `QueueLockedError`, or `ConnectionLostError`
 * (messages that were not processed yet are in their places).
 */
export class DeadLetters {
  // Hard private: printing this object must not print the URL.
  readonly #options: DeadLettersOptions;

  constructor(options: DeadLettersOptions = {}) {
    this.#options = options;
  }

  /** Number of ready messages in the dead-letter queue of `queue`, without those that another client is reading. */
  async count(queue: string): Promise<number> {
    const name = this.deadQueue(queue);
    return connected(this.#options, (connection) => ready(connection, name));
  }

  /** All dead-letter queues of the virtual host with their counts; asks the management API, since AMQP cannot list. */
  async queues(): Promise<readonly DeadQueue[]> {
    return deadQueues(this.#options);
  }

  /**
   * The messages in their order. They stay in the queue: unacked while the loop runs, and returned to their places
   * when it ends. Other readers of the queue do not see them meanwhile.
   */
  async *peek(queue: string, options: PeekOptions = {}): AsyncGenerator<DeadLetter, void, undefined> {
    const limit = whole('limit', options.limit ?? 50);
    const wanted = matchesFilter(options, systemClock.wall());
    const cursor = isSelective(options) ? MOST_HELD : limit;
    const name = this.deadQueue(queue);
    // A generator cannot run inside a callback: the session ends with the loop.
    let leave: () => void = () => undefined;
    const left = new Promise<void>((resolve) => (leave = resolve));
    let visiting: Promise<void> = Promise.resolve();
    const session = await new Promise<BrowseSession>((resolve, reject) => {
      visiting = connected(this.#options, async (connection) => {
        const { signal } = options;
        const browse = { queue: name, first: FIRST_LETTERS, cursor, signal };
        const begun = await BrowseSession.begin(connection, browse);
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
   * Sends messages to the queue that they belong to (`orders` for `orders.dead`) and resets their attempts; each is
   * confirmed before it is removed from the dead-letter queue. Covers the messages in the queue at the start. Rejects
   * with `UnroutableError` or `PublishNackedError` when the target queue is missing or full; what it did not take stays
   * in its place. Rejects with `ConfigError` at a message that failed in another queue, unless `to` sets the target;
   * this message and all behind it stay in their places.
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
    const plugins = replayPlugins(this.#options, deadlines);
    let confirms: Confirms | undefined;
    return runInBatches(this.#options, name, options, async (letters, { channel }) => {
      confirms ??= new Confirms(channel);
      const way = { channel, confirms, deadlines };
      const astray = to === undefined ? letters.map((letter) => strayed(letter, target)) : [];
      const end = astray.findIndex((error) => error !== undefined);
      const sent = end < 0 ? letters : letters.slice(0, end);
      const errors = await Promise.all(sent.map((letter) => sendOne(letter, target, way, plugins)));
      const done = sent.filter((_, index) => errors[index] === undefined);
      return { done, error: errors.find((error) => error !== undefined) ?? astray[end] };
    });
  }

  /** Deletes messages, after `save` has resolved. This cannot be undone. */
  async drop(queue: string, options: DropOptions = {}): Promise<DeadLetterResult> {
    return runInBatches(this.#options, this.deadQueue(queue), options, async (letters) => {
      await options.save?.(letters);
      return { done: letters };
    });
  }

  /** The default target of a replay: `orders` for `orders.dead`; undefined when the name does not end in `.dead`. */
  ownQueue(queue: string): string | undefined {
    return ownQueue(this.deadQueue(queue));
  }

  /** The dead-letter queue for a name: `orders.dead` for `orders` and for itself. */
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

/** A message of another queue: it was moved here, or its queue dead-letters to this one. */
function strayed({ queue, position, deadQueue }: DeadLetter, target: string): Error | undefined {
  // A broadcast handler has one queue per instance, and one dead-letter queue for all.
  if (queue === undefined || queue === target || queue.startsWith(`${target}.`)) return undefined;
  return new ConfigError(
    `message ${position} of '${deadQueue}' failed in queue '${printable(queue)}', not in '${target}'`,
    'exclude it with a filter, or set the target queue with the option to',
  );
}

/** Resolves with the error, if any. */
async function sendOne(
  letter: DeadLetter,
  queue: string,
  way: Way,
  plugins: Plugins,
): Promise<Error | undefined> {
  const send = (message: OutgoingMessage): Promise<PublishResult> =>
    new Promise((resolve, reject) => {
      const messageId = letter.id ?? 'without id';
      const onSent = (routed: boolean): void =>
        routed ? resolve({ messageId, routed }) : reject(new UnroutableError('', queue, messageId));
      const now = systemClock.monotonic();
      const limits = { end: now + CONFIRM_TIMEOUT, given: CONFIRM_TIMEOUT };
      const pending = new PendingSend(message, limits, single(way.deadlines), { onSent, onFailed: reject });
      pending.send(way.channel, way.confirms, now);
    });
  try {
    const message = replayedMessage(letter, queue);
    if (plugins.none) await send(message);
    else await plugins.publish({ kind: 'replay', message, timeout: CONFIRM_TIMEOUT }, send);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

function replayPlugins(options: DeadLettersOptions, deadlines: Deadlines): Plugins {
  const { maxMessageBytes } = deadLetterSettings(options);
  return new Plugins({
    given: options.plugins ?? [],
    clock: systemClock,
    deadlines,
    logger: CONSOLE,
    limits: () => ({ maxBytes: maxMessageBytes, maxPropertyBytes: TABLE_BYTES }),
  });
}
