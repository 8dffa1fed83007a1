// Knows which exchanges and wait queues exist, so that publishing to a missing one fails with its name
// before anything is sent. What was found once is not asked again until the connection is a new one.

import { ConnectionLostError, RabbitError } from '../errors/errors.js';
import { AccessRefusedError, TopologyMissingError } from '../errors/topology-errors.js';
import { describeError } from '../runtime/logger.js';
import type { Clock } from '../runtime/clock.js';
import type { KeptQueue } from '../message/outgoing.js';
import { GRACE, type ReturnRoute } from '../message/headers.js';
import type { Connection } from '../connection/connection.js';
import { declareExchange, declarePermitted, type DeclaringConnection } from '../topology/declare.js';
import type { ChannelCloseReason, ChannelCloseReasons } from './channel-replacement.js';
import { declareError } from '../topology/declare-error.js';
import type { ExchangeSpec, QueueSpec } from '../topology/specs.js';
import {
  returnRouteDeclarations,
  returnTopology,
  WAIT_QUEUE_FRESH,
  waitName,
  waitTopology,
} from '../topology/retry-topology.js';

/** Dependencies. */
export interface ExchangeCacheOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  /** The declaration of an exchange, if there is one. */
  readonly describe: (exchange: string) => ExchangeSpec | undefined;
  readonly topology: WantedTopology;
  /** Whose wait queues these are. */
  readonly service: string;
  /** See GRACE, which is the default. */
  readonly grace?: number;
  /** A wait queue is there; `anew` when it had been there before and was gone. */
  readonly onWait: (step: number, back: ReturnRoute, anew: boolean) => void;
  readonly closeReasons: ChannelCloseReasons;
}

/** The topology of this process, beside what it publishes to. */
export interface WantedTopology {
  /** Declares again what this process binds to an exchange. */
  bind(connection: DeclaringConnection, exchange: string): Promise<void>;
  /** Declares what is missing. Never rejects. */
  look(): Promise<void>;
}

/** A query to the broker, on one connection. */
type Ask = (connection: DeclaringConnection, life: number) => Promise<void>;

/** Losses of the connection that one question outlives, and the pause after each. */
const ATTEMPTS = 10;
const PAUSE = 50;

/** Exchanges, queues and wait queues that publishes go to. */
export class ExchangeCache {
  private life = 0;
  private readonly known = new Set<string>(['']);
  /** Wait queues, and queues that are bound for their retries: when they were declared. */
  private readonly fresh = new Map<string, number>();
  private readonly bound = new Map<string, number>();
  /** Wait queues that were found missing and not declared again yet. */
  private readonly missing = new Set<string>();
  private looking: Promise<void> = Promise.resolve();
  private readonly underWay = new Map<string, Promise<void>>();

  constructor(private readonly options: ExchangeCacheOptions) {}

  /** Whether the exchange was found on this connection. */
  isKnown(exchange: string): boolean {
    if (this.life !== this.options.connection.life) this.forget();
    return this.known.has(exchange);
  }

  /** Declares an exchange that is described, looks for another. @throws TopologyMissingError */
  async ensure(exchange: string): Promise<void> {
    if (this.isKnown(exchange)) return;
    const { describe } = this.options;
    await this.once(`exchange ${exchange}`, async (connection, life) => {
      const described = describe(exchange) ?? lookFor(exchange);
      // A look that is under way says what was missing before it is there again.
      await this.looking;
      try {
        await connection.withChannel((channel) => declareExchange(channel, described));
      } catch (error) {
        if (!(error instanceof AccessRefusedError)) throw error;
        // RabbitMQ 4.3 requires the configure permission for a check; publishing works without it.
        if (described.declare !== 'check' && described.type !== undefined) throw error;
      }
      // They were deleted with it.
      await this.options.topology.bind(connection, exchange);
      if (life === this.life) this.known.add(exchange);
    });
  }

  /** The same for what moves retries on; undefined when it is known. */
  ensureExchange(exchange: string): Promise<void> | undefined {
    return this.isKnown(exchange) ? undefined : this.ensure(exchange);
  }

  /** A publish closed the channel because its exchange is gone: the next publish checks first. */
  refused({ exchange, error }: ChannelCloseReason): void {
    if (exchange === undefined || error) return;
    this.known.delete(exchange);
    this.looking = this.options.topology.look();
  }

  /** @throws TopologyMissingError when there is no such queue */
  async ensureQueue(queue: string): Promise<void> {
    await this.once(`queue ${queue}`, async (connection) => {
      try {
        await connection.withChannel((channel) => channel.checkQueue(queue));
      } catch (error) {
        const why = declareError(error, { what: 'queue', name: queue, declaredBy: 'a publish' });
        // Without the permission to check it can still publish.
        if (!(why instanceof AccessRefusedError)) throw why;
      }
    });
  }

  /** Declares a wait queue and what is behind it, again when the last declaration is getting old. */
  async ensureWait(step: number, back: ReturnRoute): Promise<string> {
    const { service, grace = GRACE, clock, onWait } = this.options;
    const name = waitName(service, step, back);
    if (this.isWaiting(step, back)) return name;
    await this.once(`wait ${name}`, async (connection, life) => {
      const now = clock.monotonic();
      await declarePermitted(connection, waitTopology(service, step, back, grace));
      if (life === this.life) this.fresh.set(name, now);
      onWait(step, back, this.missing.delete(name));
    });
    return name;
  }

  /** Whether a wait queue was declared lately. */
  isWaiting(step: number, back: ReturnRoute): boolean {
    if (this.life !== this.options.connection.life) this.forget();
    return this.isFresh(this.fresh.get(waitName(this.options.service, step, back)));
  }

  /** A wait queue did not take a message: it is gone. */
  forgetWait(step: number, back: ReturnRoute): void {
    const name = waitName(this.options.service, step, back);
    if (this.fresh.delete(name)) this.missing.add(name);
  }

  /** Declares the queue for messages whose own queue is gone. */
  ensureOrphans(): Promise<void> {
    const orphans = returnTopology('a message whose queue is gone');
    return this.once('orphans', (connection) => declarePermitted(connection, orphans));
  }

  /** Binds a queue to the exchange through which its retries come back, again when that is getting old. */
  async ensureBack(queue: string): Promise<void> {
    if (this.isBack(queue)) return;
    await this.once(`back ${queue}`, async (connection, life) => {
      const now = this.options.clock.monotonic();
      try {
        await declarePermitted(connection, returnRouteDeclarations({ name: queue, declaredBy: 'a retry' }));
      } catch (error) {
        // Its consumer declares the queue again, with this binding.
        if (!(error instanceof TopologyMissingError)) throw error;
      }
      if (life === this.life) this.bound.set(queue, now);
    });
  }

  /** Whether a queue was bound for its retries lately. */
  isBack(queue: string): boolean {
    if (this.life !== this.options.connection.life) this.forget();
    return this.isFresh(this.bound.get(queue));
  }

  /** A queue cannot be bound: it is not asked again for a while. */
  notOurs(queue: string): void {
    this.bound.set(queue, this.options.clock.monotonic());
  }

  /** Declares a queue of Warren that was deleted. */
  async ensureKept({ name, arguments: args }: KeptQueue): Promise<void> {
    const queue: QueueSpec = {
      name,
      durable: true,
      arguments: args,
      declare: 'create',
      temporary: false,
      declaredBy: 'a dead letter',
    };
    await this.once(`kept ${name}`, (connection) => {
      return declarePermitted(connection, { exchanges: [], queues: [queue], bindings: [] });
    });
  }

  private isFresh(declared: number | undefined): boolean {
    return declared !== undefined && this.options.clock.monotonic() - declared < WAIT_QUEUE_FRESH;
  }

  /** One query at a time about one exchange. A caller may stop waiting; the result serves the next. */
  private once(id: string, ask: Ask): Promise<void> {
    const running = this.underWay.get(id);
    if (running) return running;
    const { closeReasons: refusals } = this.options;
    const question = { exchange: `\0${id}`, routingKey: '' };
    const refused = refusals.of(question);
    if (refused) return Promise.reject(refused);
    const asking = this.ask(ask).finally(() => this.underWay.delete(id));
    // All callers may have stopped waiting.
    asking.catch((error: unknown) => {
      if (!(error instanceof AccessRefusedError)) return;
      refusals.remember({ exchange: question.exchange, topic: undefined, error });
    });
    this.underWay.set(id, asking);
    return asking;
  }

  /** On throw-away channels, since a negative answer closes them. A connection lost meanwhile is not an answer. */
  private async ask(ask: Ask): Promise<void> {
    const { connection, clock } = this.options;
    for (let pending = 1; ; pending++) {
      await connection.opened();
      if (this.life !== connection.life) this.forget();
      const { life } = this;
      try {
        return await ask(connection, life);
      } catch (error) {
        const answered = error instanceof RabbitError && !(error instanceof ConnectionLostError);
        if (answered || pending === ATTEMPTS) throw lost(error);
      }
      await new Promise<void>((resolve) => void clock.after(PAUSE, resolve));
    }
  }

  private forget(): void {
    this.life = this.options.connection.life;
    this.known.clear();
    this.known.add('');
    this.fresh.clear();
    this.missing.clear();
    this.bound.clear();
  }
}

function lookFor(exchange: string): ExchangeSpec {
  return {
    name: exchange,
    type: undefined,
    durable: true,
    autoDelete: false,
    internal: false,
    arguments: {},
    declare: 'check',
    declaredBy: 'a publish',
  };
}

function lost(error: unknown): RabbitError {
  return error instanceof RabbitError ? error : new ConnectionLostError(describeError(error), error);
}
