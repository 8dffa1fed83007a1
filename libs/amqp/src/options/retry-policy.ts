// What a failed attempt leads to: a wait and another attempt, or the dead-letter queue. Pure: error and
// attempt number in, decision out.

import { MAX_DURATION, milliseconds, type Duration } from './duration.js';
import { ConfigError, DecodeError } from '../errors/errors.js';
import type { ErrorClass, GrowingDelays, RetryOptions } from './options.js';
import { DropSignal, OutcomeSignal, RejectSignal, RetrySignal } from '../errors/signals.js';
import { approachable } from '../errors/error-facts.js';
import { DROP, type Verdict } from '../message/delivery.js';

/** A policy with its numbers resolved. */
export interface RetryPolicy {
  readonly attempts: number;
  /** The same for who throws `Retry`. */
  readonly asked: number;
  /** Wait before the second attempt, the third, ...; the last one repeats. */
  readonly delays: readonly number[];
  readonly jitter: boolean;
  readonly on: readonly ErrorClass[] | undefined;
  readonly not: readonly ErrorClass[];
}

const DELAYS: readonly Duration[] = ['1s', '5s', '30s', '2m'];

/** Number of attempts when a handler without a policy throws Retry. */
const ASKED_ATTEMPTS = 5;

/** Jitter has three steps, not a continuum: each distinct wait is a queue on the broker. */
const JITTER = [0.8, 1, 1.2];

/**
 * Options with defaults filled in. `false` is one attempt.
 *
 * @throws ConfigError naming `what` when waits cannot be made from `delays`
 */
export function retryPolicy(options: RetryOptions | false | undefined, what: string): RetryPolicy {
  if (options === false)
    return { attempts: 1, asked: ASKED_ATTEMPTS, delays: [0], jitter: false, on: undefined, not: [] };
  const attempts = options?.attempts ?? 5;
  return {
    attempts,
    asked: attempts > 1 ? attempts : ASKED_ATTEMPTS,
    delays: waits(options?.delays ?? DELAYS, attempts, `${what} retry.delays`),
    jitter: options?.jitter ?? true,
    on: options?.on,
    not: options?.not ?? [],
  };
}

/** The waits between all attempts of a policy, without jitter. */
export function waitsOf({ attempts, delays }: RetryPolicy): readonly number[] {
  return Array.from({ length: attempts - 1 }, (_, index) => delays[Math.min(index, delays.length - 1)]);
}

/** Every wait that a policy can lead to, jitter included. */
export function possibleWaits(policy: RetryPolicy): readonly number[] {
  const spread = policy.jitter ? JITTER : [1];
  const all = waitsOf(policy).flatMap((wait) => spread.map((factor) => jittered(wait, factor)));
  return [...new Set(all)];
}

/** The outcome when attempt number `attempt` threw `thrown`. */
export function afterFailure(
  policy: RetryPolicy,
  attempt: number,
  thrown: unknown,
  random: () => number = Math.random,
): Verdict {
  const error = approachable(thrown);
  if (error instanceof DropSignal) return DROP;
  if (error instanceof RejectSignal) return { kind: 'dead-letter', reason: 'rejected', error };
  if (error instanceof DecodeError) return { kind: 'dead-letter', reason: 'undecodable', error };
  if (!isRetryable(policy, error)) return { kind: 'dead-letter', reason: 'not-retryable', error };
  const asked = error instanceof RetrySignal ? error.after : undefined;
  // A handler without a policy that throws Retry still means it; the default number of attempts limits it.
  const limit = error instanceof RetrySignal ? policy.asked : policy.attempts;
  if (attempt >= limit) return { kind: 'dead-letter', reason: 'attempts-exhausted', error };
  const after =
    asked === undefined ? nextDelay(policy, attempt, random) : milliseconds(asked, 'Retry({ after })');
  return { kind: 'retry', after, attempt: attempt + 1, error };
}

function isRetryable(policy: RetryPolicy, error: unknown): boolean {
  if (error instanceof OutcomeSignal) return true;
  if (policy.not.some((type) => error instanceof type)) return false;
  return policy.on === undefined || policy.on.some((type) => error instanceof type);
}

function nextDelay(policy: RetryPolicy, attempt: number, random: () => number): number {
  const delay = policy.delays[Math.min(attempt, policy.delays.length) - 1];
  if (!policy.jitter) return delay;
  return jittered(delay, JITTER[Math.floor(random() * JITTER.length) % JITTER.length]);
}

function jittered(delay: number, factor: number): number {
  return Math.min(MAX_DURATION, Math.round(delay * factor));
}

function waits(
  delays: NonNullable<RetryOptions['delays']>,
  attempts: number,
  what: string,
): readonly number[] {
  if (typeof delays === 'object' && 'first' in delays) return growing(delays, attempts, what);
  return (Array.isArray(delays) ? (delays as readonly Duration[]) : [delays as Duration]).map((delay) =>
    milliseconds(delay, what),
  );
}

/** As many as the attempts need, at most up to the first that is `max`. */
function growing(delays: GrowingDelays, attempts: number, what: string): readonly number[] {
  const first = milliseconds(delays.first, `${what}.first`);
  const max = milliseconds(delays.max, `${what}.max`);
  if (first === 0 || first > max) {
    throw new ConfigError(
      `${what}: first is ${first} ms and max is ${max} ms`,
      'first must be positive and at most max',
    );
  }
  const step = 'step' in delays ? milliseconds(delays.step, `${what}.step`) : 0;
  const next = (wait: number): number => ('step' in delays ? wait + step : wait * delays.factor);
  const list = [first];
  for (let wait = next(first); list.length < attempts - 1 && list[list.length - 1] < max; wait = next(wait)) {
    list.push(Math.min(max, Math.round(wait)));
  }
  return list;
}
