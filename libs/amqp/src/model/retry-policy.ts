// What a failed attempt leads to: a wait and another attempt, or the dead-letter queue. Pure: error and
// attempt number in, decision out.

import { milliseconds, type Duration } from './duration.js';
import { DecodeError } from './errors.js';
import type { ErrorClass, RetryOptions } from './options.js';
import { DropSignal, OutcomeSignal, RejectSignal, RetrySignal } from './signals.js';
import { approachable } from './thrown.js';
import { DROP, type Verdict } from './verdict.js';

/** A policy with its numbers resolved. */
export interface RetryPolicy {
  readonly attempts: number;
  readonly delays: readonly number[];
  readonly jitter: boolean;
  readonly on: readonly ErrorClass[] | undefined;
  readonly not: readonly ErrorClass[];
}

const DELAYS: readonly Duration[] = ['1s', '5s', '30s', '2m'];

/** Jitter has five steps, not a continuum: each distinct wait is a queue on the broker. */
const JITTER = [0.8, 0.9, 1, 1.1, 1.2];

/** Options with defaults filled in. `false` is one attempt. */
export function retryPolicy(options: RetryOptions | false | undefined, what: string): RetryPolicy {
  if (options === false) return { attempts: 1, delays: [0], jitter: false, on: undefined, not: [] };
  const delays = options?.delays ?? DELAYS;
  const list = Array.isArray(delays) ? (delays as readonly Duration[]) : [delays as Duration];
  return {
    attempts: options?.attempts ?? 5,
    delays: list.map((delay) => milliseconds(delay, `${what} retry.delays`)),
    jitter: options?.jitter ?? true,
    on: options?.on,
    not: options?.not ?? [],
  };
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
  // Somebody who throws Retry without a policy still means it; the default number of attempts bounds it.
  const limit = error instanceof RetrySignal ? Math.max(policy.attempts, 5) : policy.attempts;
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
  const delay = policy.delays[Math.min(attempt, policy.delays.length) - 1] ?? 0;
  if (!policy.jitter) return delay;
  return Math.round(delay * JITTER[Math.floor(random() * JITTER.length) % JITTER.length]);
}
