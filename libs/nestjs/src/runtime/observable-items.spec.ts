// Observables read at the reader's pace.
import { describe, expect, it } from '@jest/globals';
import {
  concat,
  filter,
  interval,
  lastValueFrom,
  map,
  Observable,
  of,
  range,
  Subject,
  take,
  throwError,
} from 'rxjs';
import { Demand, itemsOf, iteratorOf, observed } from './observable-items.js';

async function all(observable: Observable<unknown>): Promise<unknown[]> {
  const seen: unknown[] = [];
  try {
    for await (const item of itemsOf(observable)) seen.push(item);
  } catch (error) {
    seen.push(error);
  }
  return seen;
}

describe('the items of an Observable', () => {
  it('are its values, then its end or its error', async () => {
    expect(await all(of(1, 2, 3))).toEqual([1, 2, 3]);
    expect(await all(of())).toEqual([]);
    expect(
      await all(
        concat(
          of(1),
          throwError(() => 'disk full'),
        ),
      ),
    ).toEqual([1, 'disk full']);
    expect(await all(interval(1).pipe(take(3)))).toEqual([0, 1, 2]);
  });

  it('come when they are pushed', async () => {
    const subject = new Subject<number>();
    const items = itemsOf(subject);
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    const first = items.next();
    await turn();
    subject.next(1);
    expect(await first).toEqual({ done: false, value: 1 });
    const second = items.next();
    await turn();
    subject.next(2);
    subject.complete();
    expect(await second).toEqual({ done: false, value: 2 });
    expect(await items.next()).toEqual({ done: true, value: undefined });
  });

  it('are not wanted any more when the reader leaves', async () => {
    let unsubscribed = 0;
    const source = new Observable((subscriber) => {
      subscriber.next(1);
      return () => void unsubscribed++;
    });
    for await (const item of itemsOf(source)) {
      expect(item).toBe(1);
      break;
    }
    expect(unsubscribed).toBe(1);
  });

  it('end with an error when so many wait that the reader will never follow', async () => {
    const seen = await all(range(0, 20_000));
    expect(seen).toHaveLength(10_001);
    expect(String(seen[10_000])).toContain('too slowly');
  });
});

describe('a generator as an Observable', () => {
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  function counting(): {
    source: Observable<number>;
    demand: Demand;
    state: { made: number; over: boolean };
  } {
    const state = { made: 0, over: false };
    async function* numbers(): AsyncGenerator<number> {
      try {
        for (;;) yield await Promise.resolve(++state.made);
      } finally {
        state.over = true;
      }
    }
    const demand = new Demand();
    return { source: observed(numbers(), demand) as Observable<number>, demand, state };
  }

  it('makes an item when one is asked for, or as many as it takes until one arrives', async () => {
    const { source, demand, state } = counting();
    const items = itemsOf(
      source.pipe(
        filter((n) => n % 3 === 0),
        map((n) => n * 10),
      ),
      demand,
    );
    await turn();
    expect(state.made).toBe(0);
    expect((await items.next()).value).toBe(30);
    await turn();
    expect(state.made).toBe(3);
    expect((await items.next()).value).toBe(60);
    await items.return?.();
    await turn();
    expect(state).toEqual({ made: 6, over: true });
  });

  it('lets others run when nothing holds it back', async () => {
    const { source, state } = counting();
    let turns = 0;
    const other = setImmediate(function again() {
      turns++;
      if (!state.over) setImmediate(again);
    });
    expect(await lastValueFrom(source.pipe(take(5_000)))).toBe(5_000);
    clearImmediate(other);
    expect(turns).toBeGreaterThan(2);
  });

  it('is told from values, which pass as they are', () => {
    function* plain(): Generator<number> {
      yield 1;
    }
    expect(iteratorOf(plain())).toBeDefined();
    expect(iteratorOf(new Map([[1, 2]]).values())).toBeDefined();
    for (const value of [
      [1],
      'text',
      new Map(),
      new Set([1]),
      { next: 1 },
      null,
      undefined,
      Buffer.from('x'),
    ]) {
      expect(iteratorOf(value)).toBeUndefined();
      expect(observed(value, new Demand())).toBe(value);
    }
  });

  it('ends with what it throws, and is not told to end after that', async () => {
    let returned = 0;
    const broken = {
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.reject(new Error('disk full')),
        return: () => Promise.resolve({ done: true as const, value: void returned++ }),
      }),
    };
    await expect(lastValueFrom(observed(broken, new Demand()) as Observable<unknown>)).rejects.toThrow(
      'disk full',
    );
    expect(returned).toBe(0);
  });
});
