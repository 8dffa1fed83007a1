// One broker object in the fleet: it can always ask, and with the option `fleet` it answers.

import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { pid } from 'node:process';
import type { BrokerStatus } from '../events/broker-status.js';
import { ConfigError } from '../errors/errors.js';
import type { FleetHandler } from '../plugins/plugin.js';
import type { HandlerPlan } from '../topology/handler-plan.js';
import type { TopologyPlan } from '../topology/plan.js';
import type { FleetAsker } from './asker.js';
import type { Fleet, FleetAnswers, FleetAskOptions, FleetInfo, FleetInstance } from './fleet.js';
import { FleetResponder, type FleetResponderOptions } from './responder.js';
import { isKind } from './wire.js';

/** What it is made from. */
export interface FleetMemberOptions extends Pick<
  FleetResponderOptions,
  'settings' | 'clock' | 'replies' | 'server'
> {
  /** Name of the connection. */
  readonly name: string;
  readonly asker: FleetAsker;
  readonly status: () => BrokerStatus;
  /** Those that are registered by now. */
  readonly planned: { readonly handlers: readonly HandlerPlan[] };
}

/** Of all packages of Warren. test/architecture compares it with theirs. */
const VERSION = '0.2.0';

const NOTHING: TopologyPlan = { exchanges: [], queues: [], bindings: [] };

/** See Fleet. */
export class FleetMember implements Fleet {
  readonly instance: FleetInstance;
  private readonly handlers = new Map<string, FleetHandler>();
  private responder: FleetResponder | undefined;
  closed = false;

  constructor(private readonly options: FleetMemberOptions) {
    const { settings, clock, name } = options;
    const applicationVersion = settings.fleet?.version ?? (process.env.npm_package_version || undefined);
    this.instance = {
      id: randomBytes(6).toString('hex'),
      service: settings.service,
      connection: name,
      host: hostname().slice(0, 255),
      pid,
      version: VERSION,
      ...(applicationVersion !== undefined && { applicationVersion: applicationVersion.slice(0, 255) }),
      startedAt: new Date(clock.wall()).toISOString(),
    };
    this.answer('info', () => fleetInfo(options.status(), options.planned.handlers));
  }

  answer(kind: string, handler: FleetHandler): () => void {
    if (!isKind(kind)) {
      throw new ConfigError(
        `the kind of a question cannot be '${kind}'`,
        'lower-case letters, digits, . and -, at most 64',
      );
    }
    this.handlers.set(kind, handler);
    return () => {
      if (this.handlers.get(kind) === handler) this.handlers.delete(kind);
    };
  }

  ask<T = unknown>(kind: string, payload?: unknown, options?: FleetAskOptions): Promise<FleetAnswers<T>> {
    return this.options.asker.ask<T>(kind, payload, options);
  }

  /** Begins to answer, if the option says so. See FleetResponder.start. */
  async start(connection: FleetResponderOptions['connection']): Promise<void> {
    if (!this.options.settings.fleet || this.closed) return;
    const { instance, handlers } = this;
    this.responder ??= new FleetResponder({ ...this.options, connection, instance, handlers });
    await this.responder.start();
  }

  temporary(): TopologyPlan {
    return this.responder?.temporary() ?? NOTHING;
  }

  /** Answers nothing any more. Always settles. */
  async close(): Promise<void> {
    this.closed = true;
    await this.responder?.close();
  }
}

/** What it says of itself. No text of a message, of an error or of a plugin is in it. */
function fleetInfo(status: BrokerStatus, handlers: readonly HandlerPlan[]): FleetInfo {
  return {
    handlers: handlers.map(({ id, queue, deadQueue, registration }) => ({
      id,
      kind: registration.kind,
      queue: queue.name,
      ...(deadQueue !== undefined && { deadQueue }),
    })),
    connections: status.connections.map(({ name, state, blocked }) => ({ name, state, blocked })),
    consumers: status.consumers.map(({ queue, ready, inFlight, paused }) => {
      return { queue, ready, inFlight, ...(paused && { pausedBy: paused.by }) };
    }),
    publishing: status.publishing,
    waiting: status.waiting.messages,
    pendingCalls: status.pendingCalls,
    closing: status.closing,
    plugins: Object.keys(status.plugins),
  };
}
