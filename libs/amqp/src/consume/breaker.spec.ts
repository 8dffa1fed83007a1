// A breaker on a clock that the test moves: when it opens, what probes, and what closes it.
import { expect, it } from '@jest/globals';
import { RetrySignal } from '../errors/signals.js';
import { ACK, DROP, OPEN, REQUEUE, type Verdict } from '../message/delivery.js';
import { Breaker, outcomeOf } from './breaker.js';

class Declared extends Error {}

function breaking(plan = { failures: 3, of: 5, pause: 1_000 }) {
  let now = 100;
  let timers: { due: number; call: () => void }[] = [];
  const done: string[] = [];
  const breaker = new Breaker(plan, {
    clock: {
      wall: () => 0,
      monotonic: () => now,
      after: (ms, call) => {
        const timer = { due: now + ms, call };
        timers.push(timer);
        return () => void (timers = timers.filter((one) => one !== timer));
      },
    },
    hold: () => void done.push('hold'),
    release: () => void done.push('release'),
    allow: () => void done.push('allow'),
    disallow: () => void done.push('disallow'),
    changed: (state) => void done.push(state),
  });
  const pass = (ms: number): void => {
    now += ms;
    const due = timers.filter((timer) => timer.due <= now);
    timers = timers.filter((timer) => timer.due > now);
    for (const { call } of due) call();
  };
  const outcomes = (...all: ('success' | 'failure' | 'neutral')[]): void => {
    for (const one of all) {
      breaker.begins();
      breaker.outcome(one, now);
    }
  };
  const taken = (): string[] => done.splice(0);
  return { breaker, pass, outcomes, taken, now: () => now, timers: () => timers.length };
}

it('opens at so many failures among so many runs, and not at the same number spread wider', () => {
  const { breaker, outcomes, taken } = breaking();
  outcomes('failure', 'failure', 'success', 'success', 'success', 'failure', 'success', 'failure');
  expect([breaker.state, taken()]).toEqual(['closed', []]);
  outcomes('failure');
  expect([breaker.state, taken()]).toEqual(['open', ['hold', 'open']]);
});

it('outcomes that tell nothing do not count', () => {
  const { breaker, outcomes } = breaking({ failures: 2, of: 2, pause: 1_000 });
  outcomes('failure', 'neutral', 'neutral', 'failure');
  expect(breaker.state).toBe('open');
});

it('lets one message through after the pause; its success closes it, and the count begins anew', () => {
  const { breaker, outcomes, pass, taken } = breaking();
  outcomes('failure', 'failure', 'failure');
  taken();
  pass(999);
  expect(taken()).toEqual([]);
  pass(1);
  expect([breaker.state, taken()]).toEqual(['half-open', ['half-open', 'allow']]);
  outcomes('success');
  expect([breaker.state, taken()]).toEqual(['closed', ['disallow', 'closed', 'release']]);
  outcomes('failure', 'failure');
  expect(breaker.state).toBe('closed');
});

it('a probe that fails opens it again, as often as it fails', () => {
  const { breaker, outcomes, pass, taken } = breaking();
  outcomes('failure', 'failure', 'failure');
  for (let n = 0; n < 3; n++) {
    pass(1_000);
    taken();
    outcomes('failure');
    expect([breaker.state, taken()]).toEqual(['open', ['disallow', 'open']]);
  }
});

it('what ran already when it opened decides nothing, and a probe that tells nothing is followed by another', () => {
  const { breaker, outcomes, pass, taken, now } = breaking();
  const before = now();
  outcomes('failure', 'failure', 'failure');
  breaker.outcome('success', before);
  expect(breaker.state).toBe('open');
  pass(1_000);
  breaker.outcome('success', before);
  breaker.outcome('failure', before);
  expect(breaker.state).toBe('half-open');
  taken();
  outcomes('neutral');
  // Its handler was not called.
  breaker.outcome('neutral', 0);
  expect([breaker.state, taken(), breaker.probeDue]).toEqual([
    'half-open',
    ['disallow', 'allow', 'allow'],
    true,
  ]);
});

it('a probe that hangs counts as failed a minute after it began, and closes the breaker when it succeeds', () => {
  const { breaker, outcomes, pass, taken, now, timers } = breaking();
  outcomes('failure', 'failure', 'failure');
  pass(1_000);
  // No message came yet.
  pass(90_000);
  expect([breaker.state, breaker.probeDue]).toEqual(['half-open', true]);
  const began = now();
  breaker.begins();
  expect([breaker.probeDue, taken().at(-1)]).toEqual([false, 'disallow']);
  pass(59_999);
  expect(taken()).toEqual([]);
  pass(1);
  expect([breaker.state, taken()]).toEqual(['open', ['open']]);
  breaker.outcome('failure', began);
  pass(1_000);
  expect([breaker.state, taken()]).toEqual(['half-open', ['half-open', 'allow']]);
  breaker.outcome('success', began);
  // Nobody may begin as a probe any more.
  expect([breaker.state, taken(), timers()]).toEqual(['closed', ['disallow', 'closed', 'release'], 0]);
});

it('a probe that was given up and fails takes the place of the next one', () => {
  const { breaker, outcomes, pass, taken, now } = breaking();
  outcomes('failure', 'failure', 'failure');
  pass(1_000);
  const began = now();
  breaker.begins();
  pass(60_000);
  pass(1_000);
  taken();
  breaker.outcome('failure', began);
  expect([breaker.state, taken()]).toEqual(['open', ['disallow', 'open']]);
});

it('ends without timers and without holding anything', () => {
  const { breaker, outcomes, taken, timers } = breaking();
  outcomes('failure', 'failure', 'failure');
  taken();
  breaker.end();
  expect([timers(), taken()]).toEqual([0, ['release']]);
  outcomes('failure', 'failure', 'failure');
  expect(taken()).toEqual([]);
});

it('throws and timeouts are failures; decisions, declared errors and what never reached the handler are not', () => {
  const plan = { rpc: { known: new Map([['Declared', Declared]]) } } as never;
  const dead = (reason: Extract<Verdict, { kind: 'dead-letter' }>['reason'], error: Error): Verdict => {
    return { kind: 'dead-letter', reason, error };
  };
  const error = new Error('down');
  const again = (thrown: unknown): Verdict => ({ kind: 'retry', after: 1, attempt: 2, error: thrown });
  const told = (...verdicts: Verdict[]): string[] => verdicts.map((verdict) => outcomeOf(verdict, plan));
  expect(told(again(error), dead('attempts-exhausted', error))).toEqual(['failure', 'failure']);
  expect(told(ACK, OPEN, dead('rejected', error), dead('not-retryable', error))).toEqual(
    Array<string>(4).fill('success'),
  );
  expect(told(dead('attempts-exhausted', new Declared()))).toEqual(['success']);
  expect(
    told(DROP, REQUEUE, again(new RetrySignal(undefined)), dead('undecodable', error), dead('poison', error)),
  ).toEqual(Array<string>(5).fill('neutral'));
});
