import { describe, expect, it } from '@jest/globals';
import { ConfigError, DecodeError } from '../errors/errors.js';
import { afterFailure, retryPolicy, waitsOf } from './retry-policy.js';
import type { RetryOptions } from './options.js';
import { Drop, OutcomeSignal, Reject, Retry } from '../errors/signals.js';

const policy = retryPolicy({ attempts: 3, delays: [100, 200], jitter: false }, 'x');
const error = new Error('no');

describe('afterFailure', () => {
  it('waits as the policy says and dead-letters after the last attempt', () => {
    expect(afterFailure(policy, 1, error)).toEqual({ kind: 'retry', after: 100, attempt: 2, error });
    expect(afterFailure(policy, 2, error)).toEqual({ kind: 'retry', after: 200, attempt: 3, error });
    expect(afterFailure(policy, 3, error)).toEqual({
      kind: 'dead-letter',
      reason: 'attempts-exhausted',
      error,
    });
    expect(afterFailure(policy, 1_000_000, error).kind).toBe('dead-letter');
  });

  it('has the documented defaults, and the last wait repeats', () => {
    const standard = retryPolicy(undefined, 'x');
    const waits = [1, 2, 3, 4].map((attempt) => afterFailure({ ...standard, jitter: false }, attempt, error));
    expect(waits.map((verdict) => verdict.kind === 'retry' && verdict.after)).toEqual([
      1_000, 5_000, 30_000, 120_000,
    ]);
    expect(afterFailure(standard, 5, error).kind).toBe('dead-letter');
    const many = retryPolicy({ attempts: 9, delays: '1s', jitter: false }, 'x');
    expect(afterFailure(many, 8, error)).toMatchObject({ after: 1_000 });
  });

  it('jitter has three steps within a fifth, so that few wait queues are needed', () => {
    const waits = new Set<unknown>();
    for (let random = 0; random < 1; random += 0.01) {
      waits.add(
        (afterFailure({ ...policy, jitter: true }, 1, error, () => random) as { after: number }).after,
      );
    }
    expect([...waits].sort((a, b) => Number(a) - Number(b))).toEqual([80, 100, 120]);
  });

  it.each<[string, RetryOptions['delays'], number, number[]]>([
    ['a duration', '2s', 3, [2_000, 2_000]],
    ['a list', ['1s', '2s'], 4, [1_000, 2_000, 2_000]],
    ['a factor', { first: '1s', factor: 3, max: '10s' }, 6, [1_000, 3_000, 9_000, 10_000, 10_000]],
    ['a factor with a fraction', { first: 100, factor: 1.5, max: '1m' }, 4, [100, 150, 225]],
    ['a step', { first: '1s', step: '5s', max: '8s' }, 5, [1_000, 6_000, 8_000, 8_000]],
    ['first and max alike', { first: '1s', factor: 2, max: '1s' }, 3, [1_000, 1_000]],
  ])('makes the waits of %s', (_, delays, attempts, expected) => {
    expect(waitsOf(retryPolicy({ attempts, delays }, 'x'))).toEqual(expected);
  });

  it('makes no more waits than there are attempts, and no longer ones than the broker takes', () => {
    expect(retryPolicy({ attempts: 3, delays: { first: 1, step: 1, max: '1h' } }, 'x').delays).toHaveLength(
      2,
    );
    const longest = retryPolicy({ delays: '24.8d', attempts: 2 }, 'x');
    expect(afterFailure(longest, 1, error, () => 0.99)).toMatchObject({ after: 2 ** 31 - 1 });
  });

  it.each<[RetryOptions['delays'], RegExp]>([
    ['30d', /Orders retry.delays must be a duration, but is '30d'/],
    [{ first: '2m', factor: 2, max: '1m' }, /Orders retry.delays: first is 120000 ms and max is 60000 ms/],
    [{ first: 0, factor: 2, max: '1m' }, /first must be positive/],
  ])('refuses %p, by name', (delays, message) => {
    const refused = (): unknown => retryPolicy({ delays }, 'Orders');
    expect(refused).toThrow(ConfigError);
    expect(refused).toThrow(message);
  });

  it('takes signals and unreadable bodies at their word', () => {
    expect(afterFailure(policy, 1, Drop()).kind).toBe('drop');
    expect(afterFailure(policy, 1, Reject('x'))).toMatchObject({ kind: 'dead-letter', reason: 'rejected' });
    expect(afterFailure(policy, 1, new DecodeError('x', ''))).toMatchObject({ reason: 'undecodable' });
    expect(afterFailure(policy, 1, Retry({ after: '1m' }))).toMatchObject({
      kind: 'retry',
      after: 60_000,
      attempt: 2,
    });
    expect(afterFailure(policy, 5, Retry())).toMatchObject({ reason: 'attempts-exhausted' });
  });

  it('bounds a thrown Retry by the policy, and by five where there is none', () => {
    const two = retryPolicy({ attempts: 2 }, 'x');
    expect([1, 2].map((attempt) => afterFailure(two, attempt, Retry()).kind)).toEqual([
      'retry',
      'dead-letter',
    ]);
    expect(afterFailure(retryPolicy({ attempts: 1 }, 'x'), 4, Retry()).kind).toBe('retry');
    const none = retryPolicy(false, 'x');
    expect([1, 4, 5].map((attempt) => afterFailure(none, attempt, Retry()).kind)).toEqual([
      'retry',
      'retry',
      'dead-letter',
    ]);
    expect(afterFailure(none, 1, new Error('x'))).toMatchObject({ reason: 'attempts-exhausted' });
  });

  it('looks at classes', () => {
    const only = retryPolicy({ on: [TypeError], not: [RangeError] }, 'x');
    expect(afterFailure(only, 1, new TypeError()).kind).toBe('retry');
    expect(afterFailure(only, 1, new RangeError())).toMatchObject({ reason: 'not-retryable' });
    expect(afterFailure(only, 1, 'text')).toMatchObject({ reason: 'not-retryable' });
    expect(afterFailure(only, 1, Retry()).kind).toBe('retry');
  });

  it.each([undefined, null, 'x', 0, Symbol('s'), Object.freeze({})])('takes anything: %p', (thrown) => {
    expect(afterFailure(policy, 1, thrown)).toMatchObject({ kind: 'retry', error: thrown });
  });
});

describe('signals', () => {
  it('are errors with names', () => {
    for (const [signal, name] of [
      [Retry(), 'Retry'],
      [Reject('r'), 'Reject'],
      [Drop(), 'Drop'],
    ] as const) {
      expect(signal).toBeInstanceOf(OutcomeSignal);
      expect(signal).toBeInstanceOf(Error);
      expect(signal.name).toBe(name);
    }
    expect(Reject('why', 'cause')).toMatchObject({ message: 'why', cause: 'cause' });
  });

  it('Retry refuses a wait that is no duration where it is made', () => {
    expect(() => Retry({ after: 'soon' as '1s' })).toThrow(ConfigError);
  });
});
