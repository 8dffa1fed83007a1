import { describe, expect, it } from '@jest/globals';
import { PublishBuffer, type Waiting } from './publish-buffer.js';

describe('PublishBuffer', () => {
  const went: number[] = [];
  type One = Waiting & { readonly id: number };
  const waiting = (id: number, bytes = 1): One => ({ id, bytes, gone: true });
  const go = ({ id }: One): void => void went.push(id);

  it('lets them go in order for as long as the way is open', () => {
    const buffer = new PublishBuffer<One>({ messages: 10, bytes: 100 });
    const all = [1, 2, 3, 4].map((id) => waiting(id));
    all.forEach((one) => buffer.enter(one));
    buffer.leave(all[1]);
    buffer.leave(all[1]);
    went.length = 0;
    buffer.release(() => went.length < 2, go);
    expect([went, buffer.size, buffer.queued]).toEqual([[1, 3], 1, 1]);
    buffer.release(() => true, go);
    expect([went, buffer.size]).toEqual([[1, 3, 4], 0]);
  });

  it('says beforehand whether more would fit, except for one that never does', () => {
    const buffer = new PublishBuffer<One>({ messages: 2, bytes: 10 });
    expect([buffer.fits(2, 10), buffer.fits(3, 10), buffer.fits(2, 11), buffer.fits(1, 11)]).toEqual([
      ...[true, false, false, true],
    ]);
    buffer.take(waiting(0, 4));
    expect([buffer.fits(1, 6), buffer.fits(2, 6), buffer.fits(1, 7)]).toEqual([true, false, false]);
  });

  it('is bounded in messages and bytes, places without a turn included', () => {
    const buffer = new PublishBuffer<One>({ messages: 2, bytes: 10 });
    const place = waiting(0, 4);
    buffer.take(place);
    expect([buffer.size, buffer.queued]).toEqual([1, 0]);
    expect(() => buffer.enter(waiting(1, 7))).toThrow(/10 bytes/);
    buffer.enter(waiting(2, 6));
    expect(() => buffer.enter(waiting(3, 0))).toThrow(/2 messages/);
    buffer.leave(place);
    buffer.enter(waiting(4, 4));
    expect(buffer.size).toBe(2);
  });

  it('forgets those who gave up, however long the way stays closed', () => {
    const buffer = new PublishBuffer<One>({ messages: 10, bytes: 1_000 });
    const alive = waiting(1);
    buffer.enter(alive);
    for (let n = 0; n < 50_000; n++) {
      const one = waiting(n);
      buffer.enter(one);
      buffer.leave(one);
    }
    expect((buffer as unknown as { queue: { size: number } }).queue.size).toBeLessThan(2_000);
    went.length = 0;
    buffer.release(() => true, go);
    expect(went).toEqual([1]);
  });
});
