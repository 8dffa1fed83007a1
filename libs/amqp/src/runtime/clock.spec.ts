import { describe, expect, it } from '@jest/globals';
import { onWall, SharedTime, type Clock } from './clock.js';

/** Moves by hand; notes how long each timer was to wait. */
class Hands implements Clock {
  time = 0;
  readonly waits: number[] = [];
  wall = (): number => 0;
  monotonic = (): number => this.time;
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

describe('a moment', () => {
  it('is shown as the wall clock says now, also after that was set', () => {
    const clock = { wall: () => 1_700_000_000_000, monotonic: () => 500.4, after: () => () => undefined };
    expect(onWall(clock, 300)).toBe(1_699_999_999_800);
    clock.wall = () => 1_600_000_000_000;
    expect(onWall(clock, 1_500)).toBe(1_600_000_001_000);
  });
});
