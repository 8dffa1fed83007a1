import { describe, expect, it } from '@jest/globals';
import { ChannelReplacement } from './channel-replacement.js';

function renewal() {
  const seen = { unconfirmed: 0, renewed: 0, givenUp: 0 };
  let [now, timer] = [0, undefined as { readonly at: number; readonly call: () => void } | undefined];
  const clock = {
    wall: () => 0,
    monotonic: () => now,
    after: (ms: number, call: () => void) => ((timer = { at: now + ms, call }), () => (timer = undefined)),
  };
  const made = new ChannelReplacement({
    clock,
    unconfirmed: () => seen.unconfirmed,
    renew: () => seen.renewed++,
    onGivenUp: () => seen.givenUp++,
  });
  const pass = (ms: number): void => {
    now += ms;
    if (timer && timer.at <= now) timer.call();
  };
  return { made, seen, pass };
}

describe('a channel that fails', () => {
  it('is replaced when nothing on it is unconfirmed any more, once', () => {
    const { made, seen } = renewal();
    seen.unconfirmed = 2;
    made.ask(false);
    made.answered();
    expect([made.pending, seen.renewed]).toEqual([true, 0]);
    seen.unconfirmed = 0;
    made.answered();
    made.answered();
    expect(seen.renewed).toBe(1);
    made.end();
    expect(made.pending).toBe(false);
  });

  it('stays when the rest is not answered in time, and messages go over it again', () => {
    const { made, seen, pass } = renewal();
    seen.unconfirmed = 1;
    made.ask(false);
    pass(2_000);
    expect([made.pending, seen.renewed, seen.givenUp]).toEqual([false, 0, 1]);
  });

  it('is replaced with the rest unanswered when it left a message without any answer', () => {
    const { made, seen, pass } = renewal();
    seen.unconfirmed = 1;
    made.ask(true);
    pass(2_000);
    expect([made.pending, seen.renewed, seen.givenUp]).toEqual([true, 1, 0]);
    made.end();
    expect(made.pending).toBe(false);
  });

  it('is not replaced more than once a second, however full a queue is', () => {
    const { made, seen, pass } = renewal();
    const refused = (): void => {
      made.ask(false);
      made.answered();
      made.end();
    };
    refused();
    refused();
    expect(seen.renewed).toBe(1);
    pass(1_000);
    refused();
    expect(seen.renewed).toBe(2);
  });

  it('is replaced less often for one that refuses longer than an election lasts, and as before after a rest', () => {
    const { made, seen, pass } = renewal();
    const refuseFor = (ms: number): number => {
      const before = seen.renewed;
      for (let passed = 0; passed < ms; passed += 100) {
        made.ask(false);
        made.answered();
        made.end();
        pass(100);
      }
      return seen.renewed - before;
    };
    expect([refuseFor(5_000), refuseFor(60_000)]).toEqual([5, 6]);
    pass(10_000);
    expect(refuseFor(5_000)).toBe(5);
  });
});
