// The faults of a broker that a test asked for: begun at once, ended one by one or all together.
import type { Consumer } from '../../model/consumers.js';
import type { Queue } from '../../model/queue.js';
import type { Alarms } from '../alarms.js';
import type { Connection } from '../connection.js';
import type { ServerContext } from '../server-context.js';
import { Chaos } from './chaos.js';
import {
  type ConnectionMatch,
  type ConsumerMatch,
  type FaultCommand,
  type FaultRequest,
  type FaultResult,
  isMeant,
} from './fault-command.js';
import type { StandingFault } from './standing-faults.js';

interface Active {
  readonly fault: FaultRequest['fault'];
  readonly end: () => void;
  readonly chaos: Chaos | undefined;
}

export class Faults {
  private readonly active = new Map<number, Active>();
  private readonly memoryLimits = new Map<number, number>();
  private serial = 0;
  private refusing = 0;

  constructor(
    private readonly context: ServerContext,
    private readonly connections: ReadonlySet<Connection>,
    private readonly alarms: Alarms,
  ) {}

  /** Whether new connections are refused. */
  get refuses(): boolean {
    return this.refusing > 0;
  }

  perform(command: FaultCommand): FaultResult {
    if (command.do === 'begin') return this.begin(command.request);
    if (command.do === 'end') return this.end(command.id);
    this.clear(command.fault);
    return { id: 0, hit: 0, actions: [] };
  }

  /** All of a kind, or all. */
  clear(fault?: FaultRequest['fault']): void {
    // Chaos last, since it ends what it began itself.
    for (const [id, one] of [...this.active]) if (fault === undefined || one.fault === fault) this.end(id);
  }

  private begin(request: FaultRequest): FaultResult {
    const id = (this.serial += 1);
    const { hit = 0, end, chaos } = this.start(request, id);
    if (end) this.active.set(id, { fault: request.fault, end, chaos });
    return { id, hit, actions: [] };
  }

  private end(id: number): FaultResult {
    const one = this.active.get(id);
    this.active.delete(id);
    one?.end();
    return { id, hit: 0, actions: one?.chaos?.actions ?? [] };
  }

  private start(request: FaultRequest, id: number): Partial<Active> & { readonly hit?: number } {
    const { context } = this;
    switch (request.fault) {
      case 'cut':
        return { hit: this.cut(request.match, request.pick) };
      case 'cancelConsumer':
        return { hit: this.cancel(request.match, request.pick) };
      case 'freeze':
        return this.standing({ match: request.match, frozen: true });
      case 'delay':
        return this.standing({ match: request.match, latency: request.ms });
      case 'refuse':
        this.refusing += 1;
        return { end: () => void (this.refusing -= 1) };
      case 'alarm':
        this.alarms.set(`fault ${id}`, `low on ${request.resource}`);
        return { end: () => this.alarms.set(`fault ${id}`, undefined) };
      case 'memoryLimit':
        return this.limitMemory(request.bytes, id);
      case 'chaos':
        return this.chaos(request);
      default: {
        const rule = context.publishFaults.add(request.fault, request.match);
        return { end: () => context.publishFaults.remove(rule) };
      }
    }
  }

  private cut(match: ConnectionMatch, pick: number | undefined): number {
    const meant = picked(
      [...this.connections].filter((connection) => isMeant(match, connection)),
      pick,
    );
    for (const connection of meant) connection.cut();
    return meant.length;
  }

  private cancel({ queue: name, tag }: ConsumerMatch, pick: number | undefined): number {
    const found: [Queue, Consumer][] = [];
    for (const vhost of this.context.vhosts.values()) {
      for (const queue of vhost.allQueues()) {
        if (name !== undefined && queue.name !== name) continue;
        for (const one of queue.consumers.all())
          if (tag === undefined || one.tag === tag) found.push([queue, one]);
      }
    }
    const meant = picked(found, pick);
    for (const [queue, consumer] of meant) {
      consumer.cancelled();
      queue.removeConsumer(consumer);
      queue.pump();
    }
    return meant.length;
  }

  private standing(fault: StandingFault): Partial<Active> & { readonly hit: number } {
    const { standing } = this.context;
    standing.add(fault);
    this.applyStanding();
    return {
      hit: [...this.connections].filter((connection) => isMeant(fault.match, connection)).length,
      end: () => {
        standing.remove(fault);
        this.applyStanding();
      },
    };
  }

  private applyStanding(): void {
    for (const connection of this.connections) this.context.standing.apply(connection);
  }

  /** Of several limits the latest counts. */
  private limitMemory(bytes: number, id: number): Partial<Active> {
    const { meter, limits } = this.context;
    const apply = (): void => meter.limitTo([...this.memoryLimits.values()].at(-1) ?? limits.memoryLimit);
    this.memoryLimits.set(id, bytes);
    apply();
    return {
      end: () => {
        this.memoryLimits.delete(id);
        apply();
      },
    };
  }

  private chaos({ options }: Extract<FaultRequest, { fault: 'chaos' }>): Partial<Active> {
    const chaos = new Chaos(
      options,
      this.context.clock,
      (request) => this.begin(request),
      (id) => this.end(id),
    );
    return { chaos, end: () => chaos.stop() };
  }
}

function picked<T>(all: readonly T[], pick: number | undefined): readonly T[] {
  if (pick === undefined || all.length === 0) return all;
  return [all[Math.min(all.length - 1, Math.floor(pick * all.length))]];
}
