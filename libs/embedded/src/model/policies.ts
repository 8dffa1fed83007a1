// Policies: settings for all queues and exchanges whose names match, changed while they are in use. One applies to each at
// a time, the one with the highest priority; an operator policy is laid over it.
import { NamePattern } from './name-pattern.js';
import { checkPolicy } from './policy-check.js';
import { mergedDefinition, unsupported } from './policy-keys.js';
import {
  type AppliedPolicy,
  NO_POLICY,
  type Policy,
  type PolicyKind,
  type PolicySubject,
  type PolicyTarget,
} from './policy.js';
import type { QueueType } from './queue-settings.js';
import { Refusal } from './refusal.js';
import type { VersionTraits } from './version.js';

interface Entry {
  readonly policy: Policy;
  readonly pattern: NamePattern;
}

export class Policies {
  private readonly kinds: Readonly<Record<PolicyKind, Map<string, Entry>>> = {
    policy: new Map(),
    operator_policy: new Map(),
  };

  constructor(
    private readonly traits: VersionTraits,
    /** They have changed: who is under one looks again. */
    private readonly onChange: () => void,
  ) {}

  /** By name. */
  list(kind: PolicyKind): Policy[] {
    return [...this.kinds[kind].values()].map(({ policy }) => policy);
  }

  get(kind: PolicyKind, name: string): Policy | undefined {
    return this.kinds[kind].get(name)?.policy;
  }

  /** True when it is new. Throws a Refusal for what RabbitMQ does not take. */
  set(kind: PolicyKind, policy: Policy): boolean {
    checkPolicy(kind, policy, this.traits);
    const map = this.kinds[kind];
    const isNew = !map.has(policy.name);
    map.set(policy.name, { policy, pattern: new NamePattern(policy.pattern) });
    // In the order of their names: among equal priorities the first applies.
    const sorted = [...map].sort(([a], [b]) => (a < b ? -1 : 1));
    map.clear();
    for (const [name, entry] of sorted) map.set(name, entry);
    this.onChange();
    return isNew;
  }

  /** Throws a Refusal when there is none. */
  delete(kind: PolicyKind, name: string): void {
    if (!this.kinds[kind].delete(name)) throw new Refusal('not_found', `there is no policy '${name}'`);
    this.onChange();
  }

  applied(subject: PolicySubject): AppliedPolicy {
    const policy = this.first('policy', subject);
    const operator = this.first('operator_policy', subject);
    if (!policy && !operator) return NO_POLICY;
    const definition = mergedDefinition(policy?.definition, operator?.definition, this.traits);
    return { policy, operator, definition };
  }

  private first(kind: PolicyKind, subject: PolicySubject): Policy | undefined {
    let best: Policy | undefined;
    for (const { policy, pattern } of this.kinds[kind].values()) {
      if (best && policy.priority <= best.priority) continue;
      if (this.isFor(policy, subject) && pattern.matches(subject.name)) best = policy;
    }
    return best;
  }

  private isFor({ applyTo, definition }: Policy, { type }: PolicySubject): boolean {
    if (type === 'exchange') return applyTo === 'all' || applyTo === 'exchanges';
    if (applyTo === 'exchanges') return false;
    if (applyTo !== 'all' && applyTo !== 'queues' && applyTo !== TARGETS[type]) return false;
    // A policy with a setting that this type of queue does not have is not for it at all.
    return !Object.keys(definition).some((key) => unsupported(type, this.traits).has(key));
  }
}

const TARGETS: Readonly<Record<QueueType, PolicyTarget>> = {
  classic: 'classic_queues',
  quorum: 'quorum_queues',
  stream: 'streams',
};
