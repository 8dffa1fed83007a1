// A rate limit on a clock that the test moves: how much starts in which time, and how many timers that takes.
import { expect, it } from '@jest/globals';
import { ConfigError } from '../errors/errors.js';
import { messagesPerSecond, type Rate } from '../options/rate.js';
import { ConcurrencyLimiter } from './executor.js';
import { RateLimit } from './rate-limit.js';

function limited(perSecond: number, sizeOf?: (job: number) => number) {
  let now = 0;
  let timers: { due: number; call: () => void }[] = [];
  let set = 0;
  const clock = {
    wall: () => 0,
    monotonic: () => now,
    after: (ms: number, call: () => void) => {
      set++;
      const timer = { due: now + ms, call };
      timers.push(timer);
      return () => void (timers = timers.filter((one) => one !== timer));
    },
  };
  const ran: number[] = [];
  const limiter = new ConcurrencyLimiter<number>(1_000, (job) => void ran.push(job), undefined, sizeOf);
  const rate = new RateLimit(perSecond, clock, () => limiter.next());
  limiter.rate = rate;
  const pass = (ms: number): void => {
    for (let end = now + ms; now < end; now++) {
      const due = timers.filter((timer) => timer.due <= now);
      timers = timers.filter((timer) => timer.due > now);
      for (const { call } of due) call();
    }
  };
  return { limiter, rate, ran, pass, timers: () => ({ set, open: timers.length }) };
}

it('starts so many messages in a second and no more, and a tenth of a second at once', () => {
  const { limiter, ran, pass } = limited(100);
  for (let n = 0; n < 1_000; n++) limiter.push(n);
  expect(ran).toHaveLength(10);
  pass(1_000);
  expect(ran.length).toBeGreaterThanOrEqual(100);
  expect(ran.length).toBeLessThanOrEqual(110);
  pass(8_000);
  expect(ran.length).toBeGreaterThanOrEqual(895);
  expect(ran.length).toBeLessThanOrEqual(910);
  // In their order.
  expect(ran).toEqual([...ran.keys()]);
});

it('has no timer per message: none while there are tokens, and one for all that wait', () => {
  const { limiter, rate, ran, pass, timers } = limited(1_000);
  for (let n = 0; n < 50; n++) limiter.push(n);
  expect(timers()).toEqual({ set: 0, open: 0 });
  for (let n = 0; n < 1_000; n++) limiter.push(n);
  expect(timers()).toEqual({ set: 1, open: 1 });
  pass(1_100);
  expect(ran).toHaveLength(1_050);
  expect(timers().set).toBeLessThanOrEqual(22);
  for (let n = 0; n < 200; n++) limiter.push(n);
  rate.end();
  expect(timers().open).toBe(0);
});

it('a batch takes a token for each message, and those behind it wait for them', () => {
  const { limiter, ran, pass } = limited(10, (size) => size);
  limiter.push(50);
  limiter.push(1);
  expect(ran).toEqual([50]);
  pass(4_900);
  expect(ran).toEqual([50]);
  pass(200);
  expect(ran).toEqual([50, 1]);
});

it('slower than one in a second it starts them one by one', () => {
  const { limiter, ran, pass } = limited(0.5);
  for (let n = 0; n < 5; n++) limiter.push(n);
  expect(ran).toHaveLength(1);
  pass(2_001);
  expect(ran).toHaveLength(2);
  pass(4_000);
  expect(ran).toHaveLength(4);
});

it('rates are a number and a unit', () => {
  expect(['100/s', '30/m', '1800/h', '0.5/s'].map((rate) => messagesPerSecond(rate as Rate, 'rate'))).toEqual(
    [100, 0.5, 0.5, 0.5],
  );
  for (const wrong of ['100', '100/d', '0/s', '-1/s', '2000000/s', 100, '', 'x/s']) {
    expect(() => messagesPerSecond(wrong as Rate, 'rate')).toThrow(ConfigError);
  }
});
