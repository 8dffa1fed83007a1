import { beforeEach, describe, expect, it } from '@jest/globals';
import { backoff } from '../connection/connect-attempts.js';
import { type Clock, Deadlines, onWall, SharedTime } from './clock.js';

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

/** Time that moves only when told to. */
class Still implements Clock {
  private time = 1_000_000;
  private timers: { at: number; callback: () => void }[] = [];

  wall = (): number => {
    throw new Error('a deadline asked the wall clock, which may jump');
  };

  monotonic = (): number => this.time;

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.time + ms, callback };
    this.timers.push(timer);
    return () => void (this.timers = this.timers.filter((other) => other !== timer));
  }

  get armed(): number {
    return this.timers.length;
  }

  move(ms: number): void {
    const end = this.time + ms;
    for (;;) {
      const next = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.time = Math.max(this.time, next.at);
      this.timers = this.timers.filter((other) => other !== next);
      next.callback();
    }
    this.time = end;
  }
}

describe('Deadlines', () => {
  let clock: Still;
  let deadlines: Deadlines;
  let expired: number[];
  const set = (ms: number): ReturnType<Deadlines['set']> => deadlines.set(ms, () => expired.push(ms));

  beforeEach(() => {
    clock = new Still();
    deadlines = new Deadlines(clock);
    expired = [];
  });

  it('one that throws takes none of the others with it, nor those that come later', () => {
    set(100);
    deadlines.set(100, () => {
      throw new Error('a logger');
    });
    set(100);
    set(500);
    expect(() => clock.move(200)).toThrow('a logger');
    expect(expired).toEqual([100, 100]);
    clock.move(400);
    expect(expired).toEqual([100, 100, 500]);
  });

  it('calls each back at its time, never early and at most a tick late, with one timer', () => {
    for (const ms of [500, 100, 105, 3_000]) set(ms);
    expect(clock.armed).toBe(1);
    clock.move(99);
    expect(expired).toEqual([]);
    clock.move(26);
    expect(expired).toEqual([100, 105]);
    clock.move(400);
    expect(expired).toEqual([100, 105, 500]);
    clock.move(2_500);
    expect(expired).toEqual([100, 105, 500, 3_000]);
    expect([deadlines.size, clock.armed]).toEqual([0, 0]);
  });

  it('a cleared one is never called; of all of them at most one timer stays, and goes off once', () => {
    const [one, two] = [set(100), set(200)];
    deadlines.clear(one);
    deadlines.clear(one);
    deadlines.clear(two);
    for (let n = 0; n < 100; n++) deadlines.clear(set(300));
    expect([deadlines.size, clock.armed]).toEqual([0, 1]);
    clock.move(1_000);
    expect([expired, clock.armed]).toEqual([[], 0]);
    set(100);
    clock.move(120);
    expect(expired).toEqual([100]);
  });

  it('a callback may set and clear others', () => {
    const other = set(60);
    deadlines.set(40, () => {
      deadlines.clear(other);
      set(20);
    });
    clock.move(200);
    expect(expired).toEqual([20]);
    expect([deadlines.size, clock.armed]).toEqual([0, 0]);
  });

  it('a shorter one set later comes first', () => {
    set(1_000);
    set(40);
    clock.move(80);
    expect(expired).toEqual([40]);
    clock.move(1_000);
    expect(expired).toEqual([40, 1_000]);
  });
});

describe('backoff', () => {
  it('doubles up to the cap, spread between half and all of it', () => {
    const [none, all] = [() => 0, () => 1];
    expect([0, 1, 2, 3, 10, 1_000].map((attempt) => backoff(attempt, 100, 5_000, all))).toEqual([
      100, 200, 400, 800, 5_000, 5_000,
    ]);
    expect([0, 1, 10].map((attempt) => backoff(attempt, 100, 5_000, none))).toEqual([50, 100, 2_500]);
  });
});
