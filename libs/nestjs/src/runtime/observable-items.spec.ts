// Observables read at the reader's pace.
import { describe, expect, it } from '@jest/globals';
import { concat, interval, Observable, of, range, Subject, take, throwError } from 'rxjs';
import { itemsOf } from './observable-items.js';

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
