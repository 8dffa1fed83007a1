// Keeps the topology on the broker: declares the plan on each new connection before anything is published there, and
// checks regularly whether a part was deleted. One connection declares at a time; the others use its result.

import { ConnectionLostError, RabbitError } from '../errors/errors.js';
import type { MissingTopology, Counters } from '../events/events.js';
import { replyCode } from './declare-error.js';
import { declarePermitted, type DeclaringConnection } from './declare.js';
import type { TopologyPlan } from './plan.js';
import type { Connection } from '../connection/connection.js';
import { inTime, type Clock } from '../runtime/clock.js';
import { describeError, printable, type Log } from '../runtime/logger.js';
import type { Events } from '../events/emitter.js';

// Declares again what existed before. Another program may have declared one of the parts differently meanwhile; that
// is logged and affects only consumers that need it: everything else is declared and consumed.

/** Resolves with the refusals. Rejects when the connection was lost. */
export async function redeclare(connection: DeclaringConnection, plan: TopologyPlan): Promise<RabbitError[]> {
  if ((await attempt(connection, plan)) === undefined) return [];
  const refused: RabbitError[] = [];
  for (const piece of pieces(plan)) {
    const error = await attempt(connection, piece);
    if (error) refused.push(error);
  }
  return refused;
}

/** The missing parts of a plan. Rejects when the connection was lost. */
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
      // The reply closed the channel. Any other code means that it exists, but not for this user.
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

/** Each part separately, in the order of the plan: a refusal closes the channel, so each needs its own. */
function* pieces({ exchanges, queues, bindings, accepted }: TopologyPlan): Generator<TopologyPlan> {
  const none: TopologyPlan = { exchanges: [], queues: [], bindings: [], accepted };
  for (const exchange of exchanges) yield { ...none, exchanges: [exchange] };
  for (const queue of queues) yield { ...none, queues: [queue] };
  const temporary = new Set(queues.filter((queue) => queue.temporary).map(({ name }) => name));
  for (const binding of bindings) {
    if (!temporary.has(binding.destination.name)) yield { ...none, bindings: [binding] };
  }
}

/** Dependencies. */
export interface TopologyReconcilerOptions {
  readonly clock: Clock;
  readonly counters: Counters;
  readonly events: Events;
  readonly logger: Log;
  /** How long one connection waits for the declarations of another, and how long a check may take, in ms. */
  readonly timeout: number;
  /** Time between two checks, in ms; 0: check only when something is missed. */
  readonly every: number;
  /** The plan, once it is known. */
  readonly plan: () => TopologyPlan | undefined;
  /** Temporary queues of the current consumers, under their current names. */
  readonly temporary: () => TopologyPlan;
  /** Where channels for checks come from. */
  readonly connection: () => Connection;
}

/** Returned messages trigger a check, but not every one of them. */
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

  /** Starts the checks. */
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
   * Resolves when the plan has been declared since this connection was opened. `strict`: a refusal rejects; otherwise
   * it is logged, and the rest is declared. `lost` rejects when the connection ends.
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

  /**
   * Declares and logs what is missing. Never rejects: what fails now is done on the next connection, or at the next
   * check.
   */
  look(): Promise<void> {
    this.looking ??= this.once().finally(() => (this.looking = undefined));
    return this.looking;
  }

  /** Declares again the bindings of this process to an exchange. */
  async bind(connection: DeclaringConnection, exchange: string): Promise<void> {
    const plan = this.options.plan();
    const bindings = plan?.bindings.filter(({ source }) => source === exchange) ?? [];
    if (!plan || bindings.length === 0) return;
    // Refusals were logged when everything was declared; missing queues are left to the next check.
    const temporary = plan.queues.filter((queue) => queue.temporary);
    const refused = await redeclare(connection, { exchanges: [], queues: temporary, bindings });
    if (refused.length > 0) void this.look();
  }

  /** True when another connection has declared the plan. @throws the broker's refusal of it */
  private async shared(declaring: Promise<void>): Promise<boolean> {
    const { clock, timeout } = this.options;
    try {
      await inTime(clock, timeout, declaring, () => new ConnectionLostError('not declared in time'));
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
    const { clock, timeout } = this.options;
    this.lookedAt = clock.monotonic();
    const connection = this.options.connection();
    const plan = this.options.plan();
    if (this.stopped || !plan || connection.state !== 'open' || connection.blocked) return;
    const late = (): Error => new ConnectionLostError('no answer in time');
    // A lost or frozen connection is detected elsewhere.
    await inTime(clock, timeout, this.compare(connection, plan), late).catch(() => undefined);
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
    // What was refused may not have come back: the broker may say no, or a node be down.
    const still = this.declared ? [] : await missingOf(connection, { ...plan, exchanges });
    const back = missing.filter(
      (one) => !still.some(({ what, name }) => what === one.what && name === one.name),
    );
    if (back.length === 0) return;
    const names = back.map(({ what, name }) => `${what} '${name}'`);
    counters.topologyRestored += back.length;
    logger.warn(`${printable(names.join(', '))} had been deleted; declared again with all bindings`, {
      event: 'topology-restored',
    });
    events.emit({ kind: 'topology-restored', missing: back });
  }

  /** Declares `what`: the whole plan (`whole`) with the temporary queues, or a part of it. */
  private async redeclare(
    connection: Connection,
    plan: TopologyPlan,
    what: TopologyPlan,
    whole = what === plan,
  ): Promise<void> {
    // Consumers declare the bindings of their temporary queues, since only they know the names.
    const temporary = plan.queues.filter((queue) => queue.temporary);
    const refused = await redeclare(connection, {
      ...what,
      queues: [...new Set([...what.queues, ...temporary])],
    });
    // A check of a part cannot clear a refusal of the whole plan.
    this.declared = refused.length === 0 && (whole || this.declared);
    const texts = refused.map((error) => printable(describeError(error)));
    for (const text of texts) {
      if (!this.refused.has(text)) this.options.logger.error(text, { event: 'topology-refused' });
    }
    this.refused = new Set(whole ? texts : [...this.refused, ...texts]);
  }

  /** A message was returned. If this process binds a queue for it, something is missing. */
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
