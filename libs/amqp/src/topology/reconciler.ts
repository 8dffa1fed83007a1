// Keeps the broker as this process wants it: declares the plan in each life of a connection before anything is published
// there, and looks now and then whether somebody deleted a part of it. One connection declares at a time; what one of them
// declared the others need not declare again.

import { ConnectionLostError, RabbitError } from '../errors/errors.js';
import type { MissingTopology, Counters } from '../events/events.js';
import { replyCode } from './declare-error.js';
import { declarePermitted, type DeclaringConnection } from './declare.js';
import type { TopologyPlan } from './plan.js';
import type { Connection } from '../connection/connection.js';
import { inTime, type Clock } from '../runtime/clock.js';
import { describeError, printable, type BrokerLogger } from '../runtime/logger.js';
import type { Events } from '../events/emitter.js';

// Declaring again what existed before. Another program may have declared one of the things differently
// meanwhile; that is logged and affects only what needs it: all else is declared, and its consumers consume.

/** Resolves with what was refused. Rejects when the connection went away. */
export async function redeclare(connection: DeclaringConnection, plan: TopologyPlan): Promise<RabbitError[]> {
  if ((await attempt(connection, plan)) === undefined) return [];
  const refused: RabbitError[] = [];
  for (const piece of pieces(plan)) {
    const error = await attempt(connection, piece);
    if (error) refused.push(error);
  }
  return refused;
}

/** What of a plan is not there. Rejects when the connection went away. */
export async function missingOf(
  connection: DeclaringConnection,
  { exchanges, queues }: TopologyPlan,
): Promise<MissingTopology[]> {
  const wanted = [
    ...exchanges
      .filter(({ name, declare }) => declare !== 'skip' && name !== '' && !name.startsWith('amq.'))
      .map(({ name }): MissingTopology => ({ what: 'exchange', name })),
    ...queues
      .filter(({ declare, temporary }) => declare !== 'skip' && !temporary)
      .map(({ name }): MissingTopology => ({ what: 'queue', name })),
  ];
  const missing: MissingTopology[] = [];
  for (let next = 0; next < wanted.length;) {
    try {
      await connection.withChannel(async (channel) => {
        for (; next < wanted.length; next++) {
          const { what, name } = wanted[next];
          await (what === 'exchange' ? channel.checkExchange(name) : channel.checkQueue(name));
        }
      });
    } catch (error) {
      // The answer closed the channel. Other codes say that it is there, and not for us.
      const code = replyCode(error);
      if (code === undefined) throw error;
      if (code === 404) missing.push(wanted[next]);
      next++;
    }
  }
  return missing;
}

async function attempt(
  connection: DeclaringConnection,
  plan: TopologyPlan,
): Promise<RabbitError | undefined> {
  try {
    await declarePermitted(connection, plan);
    return undefined;
  } catch (error) {
    if (!(error instanceof RabbitError) || error instanceof ConnectionLostError) throw error;
    return error;
  }
}

/** Each thing alone, in the order of the plan: a refusal closes the channel, so each has one of its own. */
function* pieces({ exchanges, queues, bindings, accepted }: TopologyPlan): Generator<TopologyPlan> {
  const none: TopologyPlan = { exchanges: [], queues: [], bindings: [], accepted };
  for (const exchange of exchanges) yield { ...none, exchanges: [exchange] };
  for (const queue of queues) yield { ...none, queues: [queue] };
  const temporary = new Set(queues.filter((queue) => queue.temporary).map(({ name }) => name));
  for (const binding of bindings) {
    if (!temporary.has(binding.destination.name)) yield { ...none, bindings: [binding] };
  }
}

/** What it is made from. */
export interface TopologyReconcilerOptions {
  readonly clock: Clock;
  readonly counters: Counters;
  readonly events: Events;
  readonly logger: BrokerLogger;
  /** How long one connection waits for what another one declares, and how long a look may take, in ms. */
  readonly patience: number;
  /** Time between two looks, in ms; 0: only when something is missed. */
  readonly every: number;
  /** What is wanted, once it is known. */
  readonly plan: () => TopologyPlan | undefined;
  /** What is there only as long as its consumer, under the names of now. */
  readonly temporary: () => TopologyPlan;
  /** Where looks are taken. */
  readonly connection: () => Connection;
}

/** Messages that come back are a reason to look, but not each of them. */
const REST = 1_000;

/** One per broker object. */
export class TopologyReconciler {
  /** Whether the broker refused nothing the last time. */
  declared = true;
  private declaring: Promise<void> | undefined;
  private looking: Promise<void> | undefined;
  private cancel: (() => void) | undefined;
  private stopped = false;
  private lookedAt = -Infinity;
  private refused: ReadonlySet<string> = new Set();

  constructor(private readonly options: TopologyReconcilerOptions) {
    const { events } = options;
    events.on(
      (event) => void (event.kind === 'returned' && this.cameBack(event.exchange, event.routingKey)),
      ['returned'],
    );
  }

  /** Begins to look. */
  start(): void {
    const { every, clock } = this.options;
    if (this.stopped || every === 0) return;
    this.cancel = clock.after(every, () => void this.look().then(() => this.start()));
  }

  stop(): void {
    this.stopped = true;
    this.cancel?.();
  }

  /**
   * Resolves when the plan has been declared since this life of a connection began. `strict`: what the broker refuses
   * rejects; else it is said, and the rest is declared. `lost` rejects when the life is over.
   */
  async ready(connection: Connection, strict: boolean, lost: Promise<never>): Promise<void> {
    const plan = this.options.plan();
    if (!plan || isEmpty(plan)) return;
    const { life } = connection;
    while (this.declaring) {
      if (await this.shared(this.declaring)) return;
      if (connection.life !== life) return;
    }
    const declared = strict ? declarePermitted(connection, plan) : this.redeclare(connection, plan, plan);
    const declaring = Promise.race([declared, lost]);
    this.declaring = declaring;
    try {
      await declaring;
    } finally {
      if (this.declaring === declaring) this.declaring = undefined;
    }
  }

  /** Declares what is missing and says so. Never rejects: what it cannot do now is done in the next life, or look. */
  look(): Promise<void> {
    this.looking ??= this.once().finally(() => (this.looking = undefined));
    return this.looking;
  }

  /** Declares again what this process binds to an exchange. */
  async bind(connection: DeclaringConnection, exchange: string): Promise<void> {
    const plan = this.options.plan();
    const bindings = plan?.bindings.filter(({ source }) => source === exchange) ?? [];
    if (!plan || bindings.length === 0) return;
    // What is refused was said when all was declared; queues that are gone are for a look to find.
    const temporary = plan.queues.filter((queue) => queue.temporary);
    const refused = await redeclare(connection, { exchanges: [], queues: temporary, bindings });
    if (refused.length > 0) void this.look();
  }

  /** True when another connection has declared the plan. @throws what the broker answered to it */
  private async shared(declaring: Promise<void>): Promise<boolean> {
    const { clock, patience } = this.options;
    try {
      await inTime(clock, patience, declaring, () => new ConnectionLostError('not declared in time'));
      return true;
    } catch (error) {
      if (!(error instanceof RabbitError) || error instanceof ConnectionLostError) {
        if (this.declaring === declaring) this.declaring = undefined;
        return false;
      }
      throw error;
    }
  }

  private async once(): Promise<void> {
    const { clock, patience } = this.options;
    this.lookedAt = clock.monotonic();
    const connection = this.options.connection();
    const plan = this.options.plan();
    if (this.stopped || !plan || connection.state !== 'open' || connection.blocked) return;
    const late = (): Error => new ConnectionLostError('no answer in time');
    // A connection that is lost or frozen meanwhile has its own ways to find out.
    await inTime(clock, patience, this.compare(connection, plan), late).catch(() => undefined);
  }

  private async compare(connection: Connection, plan: TopologyPlan): Promise<void> {
    const { counters, events, logger } = this.options;
    const temporary = this.options.temporary();
    const exchanges = [...plan.exchanges, ...temporary.exchanges];
    const missing = await missingOf(connection, { ...plan, exchanges });
    const bindings = [...plan.bindings, ...temporary.bindings];
    if (missing.length === 0)
      return void (await this.redeclare(connection, plan, { ...plan, exchanges: [], queues: [], bindings }));
    await this.redeclare(connection, plan, { ...plan, exchanges, bindings }, true);
    const names = missing.map(({ what, name }) => `${what} '${name}'`);
    counters.topologyRestored += missing.length;
    logger.warn(`${printable(names.join(', '))} had been deleted; declared again with all bindings`);
    events.emit({ kind: 'topology-restored', missing });
  }

  /** Declares `what`, which is all of the plan (`whole`), with what is temporary, or a part of it. */
  private async redeclare(
    connection: Connection,
    plan: TopologyPlan,
    what: TopologyPlan,
    whole = what === plan,
  ): Promise<void> {
    // Bindings of temporary queues are their consumers' to make, under names that only they know.
    const temporary = plan.queues.filter((queue) => queue.temporary);
    const refused = await redeclare(connection, {
      ...what,
      queues: [...new Set([...what.queues, ...temporary])],
    });
    // A look at a part of it cannot make good what was refused when all was declared.
    this.declared = refused.length === 0 && (whole || this.declared);
    const texts = refused.map((error) => printable(describeError(error)));
    for (const text of texts) if (!this.refused.has(text)) this.options.logger.error(text);
    this.refused = new Set(whole ? texts : [...this.refused, ...texts]);
  }

  /** No queue took a message. When one of ours should have, something is missing. */
  private cameBack(exchange: string, routingKey: string): void {
    const plan = this.options.plan();
    const ours =
      exchange === ''
        ? plan?.queues.some(({ name }) => name === routingKey)
        : plan?.bindings.some(({ source }) => source === exchange);
    if (ours && this.options.clock.monotonic() - this.lookedAt >= REST) void this.look();
  }
}

function isEmpty({ exchanges, queues, bindings }: TopologyPlan): boolean {
  return exchanges.length + queues.length + bindings.length === 0;
}
