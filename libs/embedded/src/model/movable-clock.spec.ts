import { afterEach, describe, expect, it } from '@jest/globals';
import { brokerClock } from './clock.js';
import { MovableClock } from './movable-clock.js';

/** Moves as `broker.clock.advance` does, by `ms` counted from `start`. */
function move(clock: MovableClock, ms: number, start = clock.monotonic()): void {
  while (clock.step(start + ms));
}

describe('a clock that stands', () => {
  let clock = new MovableClock();
  afterEach(() => void (clock = new MovableClock()));

  it('runs 20 000 timers in the order in which they are due, those of one moment in the order they were set', () => {
    clock.stop();
    const start = clock.monotonic();
    const ran: [at: number, index: number][] = [];
    let seed = 7;
    for (let index = 0; index < 20_000; index += 1) {
      seed = (seed * 48_271) % 2_147_483_647;
      const ms = seed % 5_000;
      const cancel = clock.after(ms, () => ran.push([clock.monotonic() - start, index]));
      if (index % 3 === 0) cancel();
      else expect(clock.next()).toBeLessThanOrEqual(start + ms);
    }
    move(clock, 5_000);
    expect(ran).toHaveLength(13_333);
    const sorted = [...ran].sort(([one, first], [other, second]) => one - other || first - second);
    expect(ran).toEqual(sorted);
    expect(clock.next()).toBeUndefined();
  });

  it('runs what a timer sets in the same move, at its very time, however long the chain', () => {
    clock.stop();
    const start = clock.monotonic();
    const at: number[] = [];
    const again = (): void => {
      at.push(clock.monotonic() - start);
      clock.after(1_000, again);
    };
    clock.after(0, again);
    move(clock, 3_600_000);
    expect(at).toHaveLength(3_601);
    expect(at.at(-1)).toBe(3_600_000);
    expect(clock.monotonic() - start).toBe(3_600_000);
  });

  it('leaves for the next step what is set for the same moment', () => {
    clock.stop();
    const ran: string[] = [];
    clock.after(5, () => {
      ran.push('first');
      clock.after(0, () => ran.push('second'));
    });
    const until = clock.monotonic() + 5;
    expect([clock.step(until), [...ran]]).toEqual([true, ['first']]);
    expect([clock.step(until), [...ran]]).toEqual([true, ['first', 'second']]);
    expect(clock.step(until)).toBe(false);
  });

  it('moves the time of day by as much', () => {
    clock.stop();
    const [monotonic, wall] = [clock.monotonic(), clock.wall()];
    move(clock, 7_200_000);
    expect([clock.monotonic() - monotonic, clock.wall() - wall]).toEqual([7_200_000, 7_200_000]);
    clock.start();
    expect(Math.abs(clock.wall() - Date.now() - 7_200_000)).toBeLessThan(1_000);
  });

  it('cannot be moved while it runs', () => expect(() => clock.step(1)).toThrow('must be stopped'));
});

describe('a clock that goes on', () => {
  it('fires by itself what is left, after what is left of its wait', async () => {
    const clock = new MovableClock();
    // Before anything is set: however long this test is interrupted, the move ends before the first is due.
    const start = clock.monotonic();
    const fired: string[] = [];
    const late = new Promise<void>((resolve) => {
      clock.after(3_600_020, () => (fired.push('late'), resolve()), true);
    });
    clock.after(3_600_001, () => fired.push('early'));
    const never = clock.after(3_600_002, () => fired.push('never'));
    clock.stop();
    move(clock, 3_600_000, start);
    expect(fired).toEqual([]);
    clock.start();
    never();
    const began = performance.now();
    await late;
    expect(fired).toEqual(['early', 'late']);
    // Not the hour that it was to wait at first.
    expect(performance.now() - began).toBeLessThan(30_000);
  });

  it('does not take a wait beyond what timers can for none', async () => {
    const clock = new MovableClock();
    let fired = false;
    const cancel = clock.after(2 ** 33, () => (fired = true));
    await new Promise((resolve) => void clock.after(5, () => resolve(undefined), true));
    expect(fired).toBe(false);
    expect(clock.next()).toBeGreaterThan(2 ** 32);
    cancel();
    expect(clock.next()).toBeUndefined();
  });
});

describe('the clock of a broker', () => {
  it('tells what a timer throws, and the next one rings all the same', () => {
    const clock = new MovableClock();
    const told: unknown[] = [];
    const { after } = brokerClock(clock, (error) => told.push(error));
    clock.stop();
    after(1, () => {
      throw new Error('of a timer');
    });
    after(1, () => told.push('next'));
    move(clock, 1);
    expect(told).toEqual([new Error('of a timer'), 'next']);
  });
});
