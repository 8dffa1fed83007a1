// Knows which exchanges and wait queues exist, so that publishing to a missing one fails with its name
// before anything is sent. What was found once is not asked again until the connection is a new one.

import { ConnectionLostError } from '../model/errors.js';
import { PublishTimeoutError, UnroutableError } from '../model/publish-errors.js';
import type { Clock } from '../model/clock.js';
import type { Connection } from '../link/connection.js';
import { declare, declareExchange, type DeclaringChannel } from '../topology/declare.js';
import type { ExchangeSpec } from '../topology/schema.js';
import { WAIT_QUEUE_FRESH, waitExchange, waitTopology } from '../topology/wait-queues.js';

/** What destinations are made from. */
export interface DestinationsOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  /** How an exchange is declared, if anybody said. */
  readonly describe: (exchange: string) => ExchangeSpec | undefined;
}

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
  async ensure(exchange: string, timeout: number): Promise<void> {
    if (this.isKnown(exchange)) return;
    await this.once(`exchange ${exchange}`, exchange, timeout, async (channel) => {
      const spec = this.options.describe(exchange);
      await declareExchange(channel, spec ?? lookFor(exchange));
      this.known.add(exchange);
    });
  }

  /** @throws UnroutableError when there is no such queue */
  async ensureQueue(queue: string, messageId: string, timeout: number): Promise<void> {
    await this.once(`queue ${queue}`, queue, timeout, async (channel) => {
      try {
        await channel.checkQueue(queue);
      } catch (error) {
        if (/404/.test(String(error))) throw new UnroutableError('', queue, messageId);
        throw error;
      }
    });
  }

  /** Declares the wait queue for `target`, again when its last declaration is getting old. */
  async ensureWait(step: number, target: string, timeout: number): Promise<void> {
    if (this.life !== this.options.connection.life) this.forget();
    const name = waitExchange(step, target);
    const declared = this.fresh.get(name);
    if (declared !== undefined && this.options.clock.now() - declared < WAIT_QUEUE_FRESH) return;
    await this.once(`wait ${name}`, name, timeout, async (channel) => {
      const now = this.options.clock.now();
      await declare(channel, waitTopology(step, target));
      this.fresh.set(name, now);
    });
  }

  /** One question at a time about one thing, on a channel that is thrown away: a no closes it. */
  private async once(
    id: string,
    name: string,
    timeout: number,
    ask: (channel: DeclaringChannel) => Promise<void>,
  ): Promise<void> {
    const running = this.underWay.get(id);
    if (running) return running;
    const asking = this.ask(name, timeout, ask).finally(() => this.underWay.delete(id));
    this.underWay.set(id, asking);
    return asking;
  }

  private async ask(
    name: string,
    timeout: number,
    ask: (channel: DeclaringChannel) => Promise<void>,
  ): Promise<void> {
    const { connection, clock } = this.options;
    let cancel = (): void => undefined;
    const late = new Promise<never>((_, reject) => {
      cancel = clock.after(timeout, () =>
        reject(new PublishTimeoutError(name, '', timeout, 'there is no connection')),
      );
    });
    try {
      await Promise.race([late, this.onThrowAwayChannel(ask)]);
    } catch (error) {
      if (connection.state === 'closed')
        throw new ConnectionLostError('publishing is over: the broker object was closed');
      throw error;
    } finally {
      cancel();
    }
  }

  private async onThrowAwayChannel(ask: (channel: DeclaringChannel) => Promise<void>): Promise<void> {
    await this.options.connection.opened();
    await this.options.connection.withChannel(ask);
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
