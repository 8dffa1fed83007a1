// The effective settings of a queue: its declaration combined with a policy. Which of the two wins differs from setting to
// setting, and between classic and quorum queues.
import type { Plain } from '../wire/plain.js';
import type { PolicyDefinition } from './policy.js';
import { smaller } from './policy-keys.js';
import { ageInSeconds } from './stream-arguments.js';
import { declaredDeliveryLimit, type QueueSettings } from './queue-settings.js';
import type { VersionTraits } from './version.js';

/** The settings of a queue that was declared so, under this policy. */
export function underPolicy(
  declared: QueueSettings,
  definition: PolicyDefinition,
  traits: VersionTraits,
): QueueSettings {
  if (Object.keys(definition).length === 0) return declared;
  if (declared.type === 'stream') return { ...declared, stream: streamLimits(declared, definition) };
  const { quorum } = declared;
  const limit = number(definition['delivery-limit']);
  return {
    ...declared,
    messageTtl: least(declared.messageTtl, number(definition['message-ttl'])),
    expires:
      quorum && !traits.policiesSince4
        ? (number(definition.expires) ?? declared.expires)
        : least(declared.expires, number(definition.expires)),
    maxLength: Math.min(declared.maxLength, number(definition['max-length']) ?? Infinity),
    maxBytes: Math.min(declared.maxBytes, number(definition['max-length-bytes']) ?? Infinity),
    overflow: overflow(declared, text(definition.overflow)),
    deadLetterExchange: declared.deadLetterExchange ?? text(definition['dead-letter-exchange']),
    deadLetterKey: declared.deadLetterKey ?? text(definition['dead-letter-routing-key']),
    deliveryLimit:
      quorum && limit !== undefined ? deliveryLimit(declared, limit, traits) : declared.deliveryLimit,
  };
}

/** Streams go by the policy, whatever was declared. */
function streamLimits({ stream }: QueueSettings, definition: PolicyDefinition): QueueSettings['stream'] {
  return {
    maxBytes: number(definition['max-length-bytes']) ?? stream.maxBytes,
    maxAge: ageInSeconds(text(definition['max-age']) ?? '') ?? stream.maxAge,
    segmentBytes: number(definition['stream-max-segment-size-bytes']) ?? stream.segmentBytes,
  };
}

function overflow(declared: QueueSettings, policy: string | undefined): QueueSettings['overflow'] {
  if (policy === undefined) return declared.overflow;
  if (!declared.quorum)
    return declared.arguments.has('x-overflow') ? declared.overflow : (policy as 'drop-head');
  // Quorum queues go by the policy, and do not know this one.
  return policy === 'reject-publish-dlx' ? 'drop-head' : (policy as 'drop-head');
}

function deliveryLimit(declared: QueueSettings, limit: number, traits: VersionTraits): number {
  const own = declaredDeliveryLimit(declared.arguments);
  const resolved = own === undefined ? limit : smaller('delivery-limit', limit, own, traits);
  return resolved >= 0 ? resolved : traits.deliveryLimit.negative;
}

function least(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Math.min(one, other);
}

function number(value: Plain | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function text(value: Plain | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
