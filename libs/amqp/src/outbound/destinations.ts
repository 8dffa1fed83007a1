// Knows which exchanges and wait queues exist, so that publishing to a missing one fails with its name
// before anything is sent. What was found once is not asked again until the connection is a new one.

import { ConnectionLostError, RabbitError } from '../model/errors.js';
import { describeError } from '../model/logger.js';
import type { Clock } from '../model/clock.js';
import type { Connection } from '../link/connection.js';
import { declare, declareExchange, type DeclaringChannel } from '../topology/declare.js';
import { explain } from '../topology/explain.js';
import type { ExchangeSpec } from '../topology/schema.js';
import { WAIT_QUEUE_FRESH, waitExchange, waitTopology } from '../topology/wait-queues.js';

/** What destinations are made from. */
export interface DestinationsOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  /** How an exchange is declared, if anybody said. */
  readonly describe: (exchange: string) => ExchangeSpec | undefined;
}

/** A question to the broker, in a life of the connection. */
type Ask = (channel: DeclaringChannel, life: number) => Promise<void>;

/** Losses of the connection that one question outlives, and the pause after each. */
const ATTEMPTS = 10;
const PAUSE = 50;

/** Exchanges, queues and wait queues that publishes go to. */
export class Destinations {
  private life = 0;
  private readonly known = new Set<string>(['']);
  private readonly fresh = new Map<string, number>();
  private readonly underWay = new Map<string, Promise<void>>();

  constructor(private readonly options: DestinationsOptions) {}

  /** Whether an exchange was seen in this life of the connection. */
  isKnown(exchange: string): boolean {
    if (this.life !== this.options.connection.life) this.forget();
    return this.known.has(exchange);
  }

  /** Declares an exchange that is described, looks for another. @throws TopologyMissingError */
  async ensure(exchange: string): Promise<void> {
    if (this.isKnown(exchange)) return;
    await this.once(`exchange ${exchange}`, async (channel, life) => {
      await declareExchange(channel, this.options.describe(exchange) ?? lookFor(exchange));
      if (life === this.life) this.known.add(exchange);
    });
  }

  /** Wait queues that were used in this life. */
  waitQueues(): string[] {
    return [...this.fresh.keys()];
  }

  /** @throws TopologyMissingError when there is no such queue */
  async ensureQueue(queue: string): Promise<void> {
    await this.once(`queue ${queue}`, async (channel) => {
      try {
        await channel.checkQueue(queue);
      } catch (error) {
        throw explain(error, { what: 'queue', name: queue, askedBy: 'a publish' });
      }
    });
  }

  /** Declares the wait queue for `target`, again when its last declaration is getting old. */
  async ensureWait(step: number, target: string): Promise<void> {
    if (this.isWaiting(step, target)) return;
    const name = waitExchange(step, target);
    await this.once(`wait ${name}`, async (channel, life) => {
      const now = this.options.clock.now();
      await declare(channel, waitTopology(step, target));
      if (life === this.life) this.fresh.set(name, now);
    });
  }

  /** Whether the wait queue for `target` was declared lately. */
  isWaiting(step: number, target: string): boolean {
    if (this.life !== this.options.connection.life) this.forget();
    const declared = this.fresh.get(waitExchange(step, target));
    return declared !== undefined && this.options.clock.now() - declared < WAIT_QUEUE_FRESH;
  }

  /** One question at a time about one thing. Whoever asks may stop waiting; the answer serves the next. */
  private once(id: string, ask: Ask): Promise<void> {
    const running = this.underWay.get(id);
    if (running) return running;
    const asking = this.ask(ask).finally(() => this.underWay.delete(id));
    // All who asked may have left.
    asking.catch(() => undefined);
    this.underWay.set(id, asking);
    return asking;
  }

  /** On a channel that is thrown away, since a no closes it. A connection lost meanwhile is no answer. */
  private async ask(ask: Ask): Promise<void> {
    const { connection, clock } = this.options;
    for (let attempt = 1; ; attempt++) {
      await connection.opened();
      if (this.life !== connection.life) this.forget();
      const { life } = this;
      try {
        return await connection.withChannel((channel) => ask(channel, life));
      } catch (error) {
        const answered = error instanceof RabbitError && !(error instanceof ConnectionLostError);
        if (answered || attempt === ATTEMPTS) throw lost(error);
      }
      await new Promise<void>((resolve) => void clock.after(PAUSE, resolve));
    }
  }

  private forget(): void {
    this.life = this.options.connection.life;
    this.known.clear();
    this.known.add('');
    this.fresh.clear();
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
    askedBy: 'a publish',
  };
}

function lost(error: unknown): RabbitError {
  return error instanceof RabbitError ? error : new ConnectionLostError(describeError(error), error);
}
