// The settings that a policy can have, as data: what values they take, whether an operator may set them, which types of
// queues do not have them, and which value wins when both a policy and an operator policy have one.
import type { Plain } from '../wire/plain.js';
import type { PolicyDefinition } from './policy.js';
import type { QueueType } from './queue-settings.js';
import type { VersionTraits } from './version.js';

interface PolicyKey {
  readonly accepts: (value: Plain) => boolean;
  /** How RabbitMQ ends the sentence `VALUE is not a valid ...`. */
  readonly noun: string;
  readonly operator?: 'always' | 'since 4';
  readonly since4?: boolean;
  /** Of mirrored queues, which RabbitMQ 4 has no more. */
  readonly until4?: boolean;
}

const isText = (value: Plain): boolean => typeof value === 'string';
const atLeast =
  (least: number) =>
  (value: Plain): boolean =>
    Number.isInteger(value) && Number(value) >= least;
const oneOf =
  (...values: Plain[]) =>
  (value: Plain): boolean =>
    values.includes(value);
const anything = (): boolean => true;
const always = { operator: 'always' } as const;

export const POLICY_KEYS: Readonly<Record<string, PolicyKey>> = {
  'alternate-exchange': { accepts: isText, noun: 'alternate exchange name' },
  'dead-letter-exchange': { accepts: isText, noun: 'dead letter exchange name' },
  'dead-letter-routing-key': { accepts: isText, noun: 'dead letter routing key' },
  'dead-letter-strategy': { accepts: oneOf('at-most-once', 'at-least-once'), noun: 'dead letter strategy' },
  'message-ttl': { accepts: atLeast(0), noun: 'message TTL', ...always },
  expires: { accepts: atLeast(1), noun: 'queue expiry', ...always },
  'max-length': { accepts: atLeast(0), noun: 'maximum length', ...always },
  'max-length-bytes': { accepts: atLeast(0), noun: 'maximum length in bytes', ...always },
  'max-in-memory-length': { accepts: atLeast(0), noun: 'maximum memory in bytes', ...always },
  'max-in-memory-bytes': { accepts: atLeast(0), noun: 'maximum memory in bytes', ...always },
  'delivery-limit': { accepts: atLeast(-Infinity), noun: 'delivery limit', ...always },
  overflow: {
    accepts: oneOf('drop-head', 'reject-publish', 'reject-publish-dlx'),
    noun: 'overflow value',
    operator: 'since 4',
  },
  'queue-mode': { accepts: oneOf('default', 'lazy'), noun: 'queue-mode value' },
  'queue-version': { accepts: oneOf(1, 2), noun: 'queue-version value', operator: 'since 4' },
  'max-age': {
    accepts: (value) => typeof value === 'string' && /^[0-9]+[YMDhms]$/.test(value),
    noun: 'max age',
  },
  'stream-max-segment-size-bytes': { accepts: atLeast(0), noun: 'segment size' },
  'queue-leader-locator': {
    accepts: oneOf('client-local', 'balanced', 'random', 'least-leaders'),
    noun: 'queue leader locator value',
  },
  'initial-cluster-size': { accepts: atLeast(0), noun: 'cluster size' },
  'consumer-timeout': { accepts: atLeast(0), noun: 'consumer timeout', since4: true },
  'target-group-size': { accepts: atLeast(1), noun: 'target group size', since4: true, ...always },
  'ha-mode': { accepts: oneOf('all', 'exactly', 'nodes'), noun: 'ha-mode', until4: true, ...always },
  'ha-params': { accepts: anything, noun: 'ha-params', until4: true, ...always },
  'ha-sync-mode': { accepts: oneOf('manual', 'automatic'), noun: 'ha-sync-mode', until4: true, ...always },
  'ha-promote-on-shutdown': { accepts: isText, noun: 'ha-promote-on-shutdown', until4: true, ...always },
  'ha-promote-on-failure': { accepts: isText, noun: 'ha-promote-on-failure', until4: true, ...always },
  'queue-master-locator': { accepts: isText, noun: 'queue master locator', until4: true },
};

const STREAMS = ['max-age', 'stream-max-segment-size-bytes', 'initial-cluster-size'];
const MIRRORED = [
  ...['ha-mode', 'ha-params', 'ha-sync-mode', 'ha-promote-on-shutdown', 'ha-promote-on-failure'],
  'queue-master-locator',
];
const UNSUPPORTED: Readonly<Record<QueueType, readonly string[]>> = {
  classic: [...STREAMS, 'delivery-limit', 'dead-letter-strategy', 'target-group-size'],
  quorum: [...STREAMS, ...MIRRORED, 'queue-mode'],
  stream: [
    ...MIRRORED,
    ...['expires', 'message-ttl', 'dead-letter-exchange', 'dead-letter-routing-key', 'dead-letter-strategy'],
    ...[
      'max-length',
      'max-in-memory-length',
      'max-in-memory-bytes',
      'overflow',
      'queue-mode',
      'delivery-limit',
    ],
  ],
};

/** Settings with which a policy is not for this type of queue. */
export function unsupported(type: QueueType, { policiesSince4 }: VersionTraits): ReadonlySet<string> {
  const keys = UNSUPPORTED[type];
  if (type !== 'classic') return new Set(keys);
  return new Set([
    ...keys,
    ...(policiesSince4 ? ['max-in-memory-length', 'max-in-memory-bytes'] : ['queue-leader-locator']),
  ]);
}

/** The policy with the operator's laid over it: the smaller number, else the operator's value. */
export function mergedDefinition(
  policy: PolicyDefinition = {},
  operator: PolicyDefinition = {},
  traits: VersionTraits,
): PolicyDefinition {
  const merged = { ...policy };
  for (const [key, value] of Object.entries(operator)) {
    const own = Object.hasOwn(policy, key) ? policy[key] : undefined;
    merged[key] =
      typeof own === 'number' && typeof value === 'number' ? smaller(key, own, value, traits) : value;
  }
  return merged;
}

/** Since 4 a negative delivery limit is none, and the other one counts. */
export function smaller(key: string, one: number, other: number, { policiesSince4 }: VersionTraits): number {
  const unlimited = policiesSince4 && key === 'delivery-limit' && (one < 0 || other < 0);
  return unlimited ? Math.max(one, other) : Math.min(one, other);
}
