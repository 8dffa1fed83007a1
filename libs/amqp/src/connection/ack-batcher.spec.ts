import { describe, expect, it, jest } from '@jest/globals';
import { AckBatcher } from './channel.js';

/** Writes acks with `write`; turns end when the test says so. */
function batcher(write: (tag: number, multiple: boolean) => void, most?: number): AckBatcher {
  return new AckBatcher({ ack: write, settling: () => undefined }, most);
}

function acks(delivered: number): {
  acks: AckBatcher;
  sent: string[];
  turn: (...tags: number[]) => string[];
} {
  const sent: string[] = [];
  const all = batcher((tag, multiple) => void sent.push(multiple ? `..${tag}` : `${tag}`));
  for (let tag = 1; tag <= delivered; tag++) all.delivered(tag);
  const turn = (...tags: number[]): string[] => {
    for (const tag of tags) all.add(tag);
    all.flush();
    return sent.splice(0);
  };
  return { acks: all, sent, turn };
}

describe('acks of a turn', () => {
  it('leave as one frame when all before them are settled, however they were finished', () => {
    const { turn } = acks(6);
    expect(turn(3, 1, 2)).toEqual(['..3']);
    expect(turn()).toEqual([]);
    expect(turn(4)).toEqual(['..4']);
    expect(turn(6, 5)).toEqual(['..6']);
  });

  it('leave each on its own behind one that still runs, and are not acked again with it', () => {
    const { turn } = acks(5);
    expect(turn(2, 4)).toEqual(['2', '4']);
    expect(turn(1)).toEqual(['..1']);
    expect(turn(3, 5)).toEqual(['..5']);
  });

  it('never name a message that was settled otherwise as the last: the broker would close the channel', () => {
    const { acks: all, turn } = acks(5);
    all.gone(2);
    all.gone(3);
    expect(turn(1)).toEqual(['..1']);
    all.gone(5);
    expect(turn(4)).toEqual(['..4']);
    all.delivered(6);
    expect(turn(6)).toEqual(['..6']);
  });

  it('still leave as one frame after thousands', () => {
    const { acks: all, turn } = acks(0);
    for (let tag = 1; tag <= 5_000; tag++) {
      all.delivered(tag);
      all.delivered(++tag);
      expect(turn(tag, tag - 1)).toEqual([`..${tag}`]);
    }
    expect(all.remembered).toBeLessThan(2_500);
  });

  it('are remembered no longer than they need be where one is always open', () => {
    const { acks: all, turn } = acks(1);
    for (let tag = 1; tag <= 8_000; tag++) {
      all.delivered(tag + 1);
      expect(turn(tag)).toEqual([`..${tag}`]);
    }
    expect(all.remembered).toBeLessThan(2_500);
  });

  it('behind some that run for hours need neither more memory nor more time each', () => {
    let frames = 0;
    const names: string[] = [];
    const all = batcher((tag, multiple) => (frames++, multiple && names.push(`..${tag}`)));
    for (const tag of [1, 2]) all.delivered(tag);
    const many = 1_000_000;
    const began = performance.now();
    for (let tag = 3; tag <= many; tag++) {
      all.delivered(tag);
      all.add(tag);
      if (tag % 10 === 0) all.flush();
    }
    const took = performance.now() - began;
    all.flush();
    expect([all.remembered < 30_000, frames, names]).toEqual([true, many - 2, []]);
    // A tenth of it would be too much for one turn of the event loop.
    expect(took).toBeLessThan(5_000);
    all.add(2);
    all.flush();
    expect([frames, names]).toEqual([many - 1, []]);
    all.delivered(many + 1);
    all.add(1);
    all.add(many + 1);
    all.flush();
    expect(names).toEqual([`..${many + 1}`]);
    expect(all.remembered).toBeLessThan(30_000);
  });

  it('leave at once after a pause; those behind wait for each other, and for half of the prefetch at most', () => {
    jest.useFakeTimers({ now: 0 });
    try {
      const sent: string[] = [];
      let turns = 0;
      const all = new AckBatcher({
        ack: (tag, multiple) => void sent.push(multiple ? `..${tag}` : `${tag}`),
        settling: () => turns++,
      });
      all.prefetch(20);
      for (let tag = 1; tag <= 30; tag++) all.delivered(tag);
      const turn = (...tags: number[]): string[] => {
        for (const tag of tags) all.add(tag);
        all.atTurnsEnd();
        return sent.splice(0);
      };
      expect(turn(1)).toEqual(['..1']);
      expect(turn(2, 3)).toEqual([]);
      expect(turn(4)).toEqual([]);
      jest.advanceTimersByTime(2);
      expect(sent.splice(0)).toEqual(['..4']);
      expect(turn(5)).toEqual([]);
      expect(turn(6, 7, 8, 9, 10, 11, 12, 13, 14)).toEqual(['..14']);
      // Not for 4, which waits for the timer as well.
      expect(turns).toBe(4);
      expect([turn(15), turn(16)]).toEqual([[], []]);
      all.end();
      jest.advanceTimersByTime(100);
      all.flush();
      expect([turn(17), sent, jest.getTimerCount()]).toEqual([[], [], 0]);
    } finally {
      jest.useRealTimers();
    }
  });

  it('leave with each turn where the broker delivers only a few without them', () => {
    const { acks: all, sent } = acks(3);
    all.prefetch(19);
    for (const tag of [1, 2, 3]) {
      all.add(tag);
      all.atTurnsEnd();
      expect(sent.splice(0)).toEqual([`..${tag}`]);
    }
  });

  it.each([10_000, 3])('are right for any order of deliveries and outcomes (%i kept behind one)', (most) => {
    let seed = 7;
    const next = (below: number): number => {
      seed = (seed * 1_664_525 + 1_013_904_223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    const outstanding = new Set<number>();
    const settled = new Set<number>();
    const all = batcher((tag, multiple) => {
      // What a broker does with it.
      expect(outstanding.has(tag)).toBe(true);
      for (const one of multiple ? [...outstanding].filter((each) => each <= tag) : [tag]) {
        expect(settled.has(one)).toBe(true);
        outstanding.delete(one);
      }
    }, most);
    const open: number[] = [];
    for (let step = 0, tag = 0; step < 20_000; step++) {
      if (open.length < 50 && next(2) === 0) {
        all.delivered(++tag);
        outstanding.add(tag);
        open.push(tag);
      } else if (open.length > 0) {
        // Mostly the oldest.
        const [one] = open.splice(next(3) === 0 ? next(open.length) : 0, 1);
        if (next(10) === 0) {
          outstanding.delete(one);
          all.gone(one);
        } else {
          settled.add(one);
          all.add(one);
        }
      }
      if (next(5) === 0) {
        all.flush();
        expect(outstanding).toEqual(new Set(open));
      }
    }
  });
});
