// What a test asks of a broker to go wrong, as data that can go to a worker.
import type { ChaosAction, ChaosOptions } from './chaos.js';
import type { ConnectionMatch } from './connection-match.js';
import type { PublishFault, PublishMatch } from './publish-faults.js';

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
