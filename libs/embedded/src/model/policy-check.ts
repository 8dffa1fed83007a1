// Checks a policy as RabbitMQ does, with its error texts.
import type { Plain } from '../wire/plain.js';
import { patternError } from './name-pattern.js';
import type { Policy, PolicyKind } from './policy.js';
import { POLICY_KEYS } from './policy-keys.js';
import { badRequest } from './refusal.js';
import type { VersionTraits } from './version.js';

/** Throws a Refusal that lists all errors. Accepts any value: it comes from a request or a file. */
export function checkPolicy(kind: PolicyKind, policy: Policy, traits: VersionTraits): void {
  const wrong = [
    priority(policy.priority),
    pattern(policy.pattern),
    target(policy.applyTo, traits),
    definition(kind, policy.definition, traits),
  ].filter((sentence) => sentence !== undefined);
  if (wrong.length > 0) throw badRequest(`Validation failed\n\n${wrong.join('\n')}\n`);
}

function priority(value: unknown): string | undefined {
  return typeof value === 'number' ? undefined : `priority should be a number, actually was ${term(value)}`;
}

function pattern(value: unknown): string | undefined {
  if (typeof value !== 'string') return `pattern should be a binary but was ${term(value)}`;
  const wrong = patternError(value);
  return wrong && `pattern should be regular expression but is invalid: ${wrong}`;
}

function target(value: unknown, { policiesSince4 }: VersionTraits): string | undefined {
  const targets = policiesSince4
    ? ['queues', 'classic_queues', 'quorum_queues', 'streams', 'exchanges', 'all']
    : ['queues', 'exchanges', 'all'];
  if (targets.includes(String(value))) return undefined;
  const [most, last] = [targets.slice(0, -1), targets.at(-1)];
  const list = `${most.map((each) => `'${each}'`).join(', ')}, or '${last}'`;
  return `apply-to '${String(value)}' unrecognised; should be one of: ${list}`;
}

function definition(kind: PolicyKind, value: unknown, traits: VersionTraits): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return `definition must be a dictionary: ${term(value)}`;
  }
  const entries = Object.entries(value as Record<string, Plain>);
  if (entries.length === 0) return 'no policy provided';
  const unknown = entries.filter(([key]) => !known(kind, key, traits));
  for (const [key, setting] of entries) {
    if (unknown.some(([name]) => name === key) || POLICY_KEYS[key].accepts(setting)) continue;
    return `${term(setting)} is not a valid ${POLICY_KEYS[key].noun}`;
  }
  if (unknown.length === 0) return undefined;
  const shown = unknown.map(([key, setting]) => `{${term(key)},${term(setting)}}`);
  return `[${shown.join(',')}] are not recognised policy settings`;
}

function known(kind: PolicyKind, key: string, { policiesSince4 }: VersionTraits): boolean {
  const entry = Object.hasOwn(POLICY_KEYS, key) ? POLICY_KEYS[key] : undefined;
  if (!entry || (policiesSince4 ? entry.until4 : entry.since4)) return false;
  if (kind === 'policy') return true;
  return entry.operator === 'always' || (entry.operator === 'since 4' && policiesSince4);
}

/** A value as RabbitMQ prints it. */
function term(value: unknown): string {
  return typeof value === 'string' ? `<<${JSON.stringify(value)}>>` : JSON.stringify(value);
}
