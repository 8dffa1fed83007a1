// Faults that a test injects, and which clients they affect, as data that can be sent to a worker.
import type { Table } from '../../wire/field-table.js';
import type { PublishFault, PublishMatch } from './publish-faults.js';

/** Connections by what their clients said when they connected; all that is given must fit. Default: all connections. */
export interface ConnectionMatch {
  /** Name that the client gave the connection (`connection_name`), whole or as a pattern. */
  readonly name?: string | RegExp;
  /** Name of the user. */
  readonly user?: string;
  /** Virtual host. */
  readonly vhost?: string;
}

/** A connection, as far as it is told by. */
interface Client {
  /** Undefined before it has logged in. */
  readonly agreed:
    | { readonly user: string; readonly vhost: { readonly name: string }; readonly clientProperties: Table }
    | undefined;
}

/** Whether a fault is for that connection. */
export function isMeant({ name, user, vhost }: ConnectionMatch, { agreed }: Client): boolean {
  if (name === undefined && user === undefined && vhost === undefined) return true;
  if (!agreed || (user !== undefined && agreed.user !== user)) return false;
  if (vhost !== undefined && agreed.vhost.name !== vhost) return false;
  if (name === undefined) return true;
  const given = agreed.clientProperties.get('connection_name');
  const text = given?.type === 'longstr' ? given.value : '';
  return typeof name === 'string'
    ? text === name
    : new RegExp(name.source, name.flags.replace(/[gy]/g, '')).test(text);
}

/** A fault that chaos can bring. */
export type ChaosFault = 'cut' | 'freeze' | 'delay' | 'nack' | 'cancelConsumer' | 'alarm';

/** How much goes wrong. */
export interface ChaosOptions {
  /** The same seed brings the same faults after the same pauses. */
  readonly seed: number;
  /** Time between two faults: between half of it and one and a half times as much, in milliseconds. Default 200. */
  readonly every?: number;
  /** Which faults. Default: all of them. */
  readonly faults?: readonly ChaosFault[];
  /** Whose connections are cut, frozen and slow. Default: all. */
  readonly match?: ConnectionMatch;
}

/** One thing that chaos did. */
export interface ChaosAction {
  /** Milliseconds since it began. */
  readonly at: number;
  readonly fault: ChaosFault;
  /** How many connections or consumers it hit, or publishes it is for. */
  readonly hit: number;
  /** For how many milliseconds. */
  readonly lasting: number;
}

/** Which consumers are cancelled; all that is given must fit. Default: all. */
export interface ConsumerMatch {
  /** Those of this queue. */
  readonly queue?: string;
  /** Those with this consumer tag. */
  readonly tag?: string;
}

export type FaultRequest =
  /** `pick`: only one of them, by a number from 0 to 1. */
  | { readonly fault: 'cut'; readonly match: ConnectionMatch; readonly pick?: number }
  | { readonly fault: 'cancelConsumer'; readonly match: ConsumerMatch; readonly pick?: number }
  | { readonly fault: 'freeze'; readonly match: ConnectionMatch }
  | { readonly fault: 'delay'; readonly match: ConnectionMatch; readonly ms: number }
  | { readonly fault: 'refuse' }
  | { readonly fault: PublishFault; readonly match: PublishMatch }
  | { readonly fault: 'alarm'; readonly resource: 'memory' | 'disk' }
  | { readonly fault: 'memoryLimit'; readonly bytes: number }
  | { readonly fault: 'chaos'; readonly options: ChaosOptions };

export type FaultCommand =
  | { readonly kind: 'fault'; readonly do: 'begin'; readonly request: FaultRequest }
  /** All faults of a kind, without one all. */
  | { readonly kind: 'fault'; readonly do: 'clear'; readonly fault?: FaultRequest['fault'] }
  | { readonly kind: 'fault'; readonly do: 'end'; readonly id: number };

export interface FaultResult {
  /** Hand it back to end the fault. */
  readonly id: number;
  /** How many connections or consumers it hit at once. */
  readonly hit: number;
  /** What chaos did, when it ends. */
  readonly actions: readonly ChaosAction[];
}
