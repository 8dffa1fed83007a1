// A policy: settings for all queues and exchanges whose names match.
import type { Plain } from '../wire/plain.js';
import type { QueueType } from './queue-settings.js';

/** What a policy is for; the types of queues since RabbitMQ 4. */
export type PolicyTarget = 'all' | 'queues' | 'exchanges' | 'classic_queues' | 'quorum_queues' | 'streams';

/** Settings of a policy with RabbitMQ's names and values. */
export type PolicyDefinition = { readonly [key: string]: Plain };

export interface Policy {
  readonly name: string;
  /** Regular expression for the names it is for. */
  readonly pattern: string;
  readonly applyTo: PolicyTarget;
  /** The higher one applies. */
  readonly priority: number;
  readonly definition: PolicyDefinition;
}

/** A queue of some type, or an exchange. */
export interface PolicySubject {
  readonly name: string;
  readonly type: QueueType | 'exchange';
}

/** What applies to one queue or exchange. */
export interface AppliedPolicy {
  readonly policy: Policy | undefined;
  readonly operator: Policy | undefined;
  readonly definition: PolicyDefinition;
}

export const NO_POLICY: AppliedPolicy = { policy: undefined, operator: undefined, definition: {} };

export type PolicyKind = 'policy' | 'operator_policy';
