// Exchanges, bindings, queues and handlers: as declared, and as the broker has them.

import type { Answer } from './answers.js';

/** `GET api/topology`. At most 2000 queues, exchanges and 5000 bindings. */
export interface TopologyAnswer extends Answer {
  /** Whether the management API said what exists. Without it `exists` is null, and there are no drift and no orphans. */
  readonly compared: boolean;
  readonly exchanges: readonly ExchangeNode[];
  readonly queues: readonly QueueNode[];
  readonly bindings: readonly BindingEdge[];
  /** Parts that are left out, since there are too many. */
  readonly leftOut: number;
}

/** What it is for, by its name and declaration. `internal`: Warren's own, for waiting, calls and the fleet. */
export type Purpose = 'work' | 'dead' | 'wait' | 'internal' | 'other';

/** Something that exists otherwise than declared. */
export interface Drift {
  /** `durable`, `type`, `x-queue-type`, ... */
  readonly field: string;
  readonly declared: string;
  readonly actual: string;
}

/** An exchange or a queue. */
export interface TopologyNode {
  readonly name: string;
  readonly purpose: Purpose;
  /** Handlers or modules of this process that declare it; [] for none. */
  readonly declaredBy: readonly string[];
  /** Whether the broker has it; null when not compared. */
  readonly exists: boolean | null;
  readonly drift: readonly Drift[];
  /** It exists, and nobody who is known declares, consumes or binds it: perhaps left behind. */
  readonly orphan: boolean;
  readonly durable: boolean | null;
  /** Arguments, as declared; those of the broker for what is not declared here. */
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** An exchange. */
export interface ExchangeNode extends TopologyNode {
  /** null when it is taken as it is, and not compared. */
  readonly type: string | null;
}

/** A queue. */
export interface QueueNode extends TopologyNode {
  /** `classic`, `quorum`, `stream`; null when unknown. */
  readonly type: string | null;
  /** Handlers of this process and, with the fleet, of others: `shop Orders.place`. */
  readonly handlers: readonly string[];
  /** From the management API; else null. */
  readonly messages: number | null;
  readonly consumers: number | null;
}

/** A binding. Those of the default exchange are left out. */
export interface BindingEdge {
  readonly source: string;
  readonly destination: string;
  readonly destinationKind: 'queue' | 'exchange';
  readonly key: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly declared: boolean;
  readonly exists: boolean | null;
  /** It exists, is not declared here, and leads from or to something that is declared here: perhaps left behind. */
  readonly orphan: boolean;
}
