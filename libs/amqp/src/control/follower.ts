// What is wanted in all instances of the service, as the broker keeps it: a stream with one record for each change. It is
// read from its beginning, so an instance that starts later learns what the others were told. Nothing in it is trusted
// but that its writers may publish to the exchange in front of it.

import type { LiveChannel } from '../connection/channel.js';
import type { Connection } from '../connection/connection.js';
import { RecoveringChannel } from '../connection/recovering-channel.js';
import { streamEnd } from '../consume/stream-offset.js';
import type { ReceivedMessage } from '../message/message.js';
import type { Settings } from '../options/settings.js';
import type { Clock } from '../runtime/clock.js';
import { describeError, LogLimiter, printable } from '../runtime/logger.js';
import { declareError } from '../topology/declare-error.js';
import { controlName, inEffect, readCommand, type HandlerChange } from './command.js';
import type { EverywhereChange } from './control.js';

/** What came of a change in this instance; `error`: it could not be made. Undefined: there is no such handler here. */
export type Outcome = { readonly inForce: boolean; readonly error?: string } | undefined;

/** What it is made from. */
export interface FollowerOptions {
  readonly connection: Connection;
  readonly settings: Settings;
  readonly clock: Clock;
  /** Makes it so. Must not reject. */
  readonly apply: (handler: string, change: EverywhereChange) => Promise<Outcome>;
  /** The same for several, one after the other. Their outcomes are in the same order. */
  readonly replay: (changes: readonly HandlerChange[]) => readonly Promise<Outcome>[];
  /** Whether there is such a handler in this process. */
  readonly has: (handler: string) => boolean;
  /** Appends a record that changes nothing; resolves to its id. */
  readonly mark: () => Promise<string>;
  /** Everything that was there is known, and was told to `replay`. Called each time that it was read. */
  readonly onKnown: () => void;
}

/** Bytes that the stream keeps, in segments of so many: thousands of changes. */
const KEPT = { 'x-max-length-bytes': 10_000_000, 'x-stream-max-segment-size-bytes': 1_000_000 };

/** Records that are read ahead, changes that are remembered, and outcomes. */
const [AHEAD, MOST_CHANGES, MOST_OUTCOMES] = [200, 10_000, 1_000];

const NOTHING = Promise.resolve<Outcome>(undefined);

/** Not allowed, declared otherwise: only a person changes that. */
const FINAL = new Set<unknown>([403, 406]);

/** One per broker object with the option `fleet.control`. */
export class Follower {
  readonly name: string;
  private readonly recovering: RecoveringChannel;
  private readonly lines: LogLimiter;
  private readonly begun: Promise<void>;
  private begin = (): void => undefined;
  /**
   * Of all handlers in the order of their records, as read since the channel was opened. An instance that starts later does
   * the same as those before it: what was refused depends on what was before, and handlers that share a queue change it
   * in turn.
   */
  private wanted: HandlerChange[] = [];
  /** By handler: the last record that was applied. What is up to that one is not applied again when all is read again. */
  private readonly applied = new Map<string, string>();
  private readonly outcomes = new Map<string, Promise<Outcome>>();
  private readonly awaited = new Map<string, (outcome: Promise<Outcome>) => void>();
  /** What ends the reading of what was there: an offset, or the id of a mark; undefined when it ended. */
  private end: { readonly offset: number } | { readonly mark: Promise<string> } | undefined;
  private warned = false;
  private closed = false;

  constructor(private readonly options: FollowerOptions) {
    const { connection, clock, settings } = options;
    this.name = controlName(settings.service);
    this.lines = new LogLimiter(clock);
    this.begun = new Promise((resolve) => (this.begin = resolve));
    this.recovering = new RecoveringChannel({
      connection,
      clock,
      kind: 'plain',
      reconnect: settings.reconnect,
      setup: (channel) => this.setUp(channel),
      onFailed: (error) => this.onFailed(error),
    });
  }

  /** Resolves when all that was there is known and told to `apply`, or when that failed once. */
  start(): Promise<void> {
    this.recovering.start();
    return this.begun;
  }

  /** Always settles. */
  close(): Promise<void> {
    this.closed = true;
    this.begin();
    for (const tell of this.awaited.values()) tell(NOTHING);
    this.awaited.clear();
    return this.recovering.close();
  }

  /** Applies what is wanted of a handler that was not there before. */
  async added(handler: string): Promise<void> {
    await this.replay(this.wanted.filter((each) => each.handler === handler));
  }

  /** What came of a record, when it has come. It may never come: bound the wait, and call `forget`. */
  outcome(id: string): Promise<Outcome> {
    const known = this.outcomes.get(id);
    if (known) return known;
    if (this.closed) return NOTHING;
    return new Promise((resolve) => {
      if (this.awaited.size < MOST_OUTCOMES) this.awaited.set(id, resolve);
    });
  }

  /** Nobody waits for it any more. */
  forget(id: string): void {
    this.awaited.delete(id);
  }

  private async setUp(channel: LiveChannel): Promise<void> {
    const { declaring } = channel;
    const { name } = this;
    await declaring.assertExchange(name, 'fanout', { durable: true });
    const arguments_ = { 'x-queue-type': 'stream', ...KEPT };
    await declaring.assertQueue(name, { durable: true, arguments: arguments_ });
    await declaring.bindQueue(name, name, '');
    this.wanted = [];
    const { connection, clock } = this.options;
    const next = await connection.withChannel((on) => streamEnd(on, name, 'next', clock));
    // An empty stream and a slow one look the same. With a mark there is something to wait for.
    this.end = next ? { offset: next - 1 } : { mark: this.options.mark() };
    if ('mark' in this.end) this.end.mark.catch((error: unknown) => this.unmarked(error));
    await channel.prefetch(AHEAD);
    await channel.consume(name, { noAck: false, arguments: { 'x-stream-offset': 'first' } }, (message) => {
      if (message === 'cancelled') return this.recovering.renew();
      this.onRecord(message);
      channel.ack(message.deliveryTag);
    });
  }

  private onRecord(message: ReceivedMessage): void {
    // Who may send to queues by their names need not have the right to publish to this exchange.
    const command = message.exchange === this.name ? readCommand(message.content) : undefined;
    if (!command) {
      const why = message.exchange === this.name ? 'it is none' : 'it did not come over the exchange';
      this.say('control-refused', `a command in '${this.name}' was refused: ${why}`);
    } else if (command.handler !== undefined && command.change) {
      this.onCommand({ id: command.id, handler: command.handler, change: command.change });
    }
    this.look(message, command?.id);
  }

  private onCommand(wanted: HandlerChange): void {
    if (this.wanted.push(wanted) > MOST_CHANGES) {
      this.wanted = inEffect(this.wanted).slice(-MOST_CHANGES / 2);
    }
    if (!this.end) this.note(wanted, this.options.apply(wanted.handler, wanted.change));
  }

  /** Whether this was the last of what was there. */
  private look({ properties }: ReceivedMessage, id: string | undefined): void {
    const { end } = this;
    if (!end) return;
    if ('offset' in end) {
      const offset: unknown = properties.headers?.['x-stream-offset'];
      if (typeof offset !== 'number' || offset >= end.offset) this.known();
    } else {
      // A mark that cannot be written is told where it was made.
      void end.mark.then(
        (mark) => mark === id && this.end === end && this.known(),
        () => undefined,
      );
    }
  }

  private known(): void {
    this.end = undefined;
    void this.replay(this.unheard());
    this.options.onKnown();
    // Consumers that have not begun begin so: what is wanted is written down, and they need not be there for it.
    this.begin();
  }

  /** What this instance has not heard before: what was changed here alone since then stays. */
  private unheard(): HandlerChange[] {
    const heard = new Set<string>();
    const unheard: HandlerChange[] = [];
    for (const each of [...this.wanted].reverse()) {
      if (this.applied.get(each.handler) === each.id) heard.add(each.handler);
      if (!heard.has(each.handler)) unheard.push(each);
    }
    return unheard.reverse();
  }

  private async replay(changes: readonly HandlerChange[]): Promise<void> {
    const outcomes = this.options.replay(changes);
    changes.forEach((each, index) => this.note(each, outcomes[index]));
    await Promise.all(outcomes);
  }

  private note({ id, handler }: HandlerChange, outcome: Promise<Outcome>): void {
    // It is applied when the handler is there.
    if (this.options.has(handler)) this.applied.set(handler, id);
    this.outcomes.set(id, outcome);
    for (const oldest of this.outcomes.keys()) {
      if (this.outcomes.size <= MOST_OUTCOMES) break;
      this.outcomes.delete(oldest);
    }
    this.awaited.get(id)?.(outcome);
    this.awaited.delete(id);
  }

  private unmarked(error: unknown): void {
    this.say('control-failed', `'${this.name}' cannot be written: ${printable(describeError(error))}`);
    if (this.end) this.known();
  }

  private onFailed(error: unknown): void {
    this.begin();
    const refused = FINAL.has((error as { code?: unknown } | undefined)?.code);
    if (refused) void this.recovering.close();
    if (this.warned) return;
    this.warned = true;
    const asked = { what: 'queue' as const, name: this.name, declaredBy: 'the option fleet.control' };
    const why = printable(describeError(declareError(error, asked)));
    this.say('control-failed', `this process does not hear what is wanted in all instances: ${why}`);
  }

  private say(event: 'control-refused' | 'control-failed', line: string): void {
    this.lines.say((text) => this.options.settings.logger.warn(text, { event }), line);
  }
}
