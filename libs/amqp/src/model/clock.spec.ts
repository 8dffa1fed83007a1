import { describe, expect, it } from '@jest/globals';
import { SharedTime, type Clock } from './clock.js';

/** Moves by hand; notes how long each timer was to wait. */
class Hands implements Clock {
  time = 0;
  readonly waits: number[] = [];
  now = (): number => this.time;
  after = (ms: number): (() => void) => {
    this.waits.push(ms);
    return () => undefined;
  };
}

describe('time that is shared', () => {
  const spends = async (...took: number[]): Promise<number[]> => {
    const clock = new Hands();
    const shared = new SharedTime(clock, 10_000, 1_000);
    for (const ms of took) {
      await shared.spend(() => Promise.resolve(void (clock.time += ms)));
      clock.time += 60_000;
    }
    return clock.waits;
  };

  it('the second wait has what the first left, however long it is in between', async () =>
    expect(await spends(3_000, 0)).toEqual([10_000, 7_000]));

  it('the second wait has a little when nothing is left', async () =>
    expect(await spends(10_500, 0)).toEqual([10_000, 1_000]));

  it('a clock that is set back gives nobody more', async () =>
    expect(await spends(-5_000, 0)).toEqual([10_000, 10_000]));

  it('a failure counts as well', async () => {
    const clock = new Hands();
    const shared = new SharedTime(clock, 10_000, 1_000);
    const failing = shared.spend(() => {
      clock.time += 300;
      return Promise.reject(new Error('no'));
    });
    await expect(failing).rejects.toThrow('no');
    await shared.spend(() => Promise.resolve());
    expect(clock.waits).toEqual([10_000, 9_700]);
  });
});
