import { describe, expect, it } from '@jest/globals';
import { WaitingRoom, type Waiting } from './publish-buffer.js';

describe('WaitingRoom', () => {
  const went: number[] = [];
  const waiting = (id: number, bytes = 1): Waiting => ({ bytes, gone: true, go: () => went.push(id) });

  it('lets them go in order for as long as the way is open', () => {
    const room = new WaitingRoom({ messages: 10, bytes: 100 });
    const all = [1, 2, 3, 4].map((id) => waiting(id));
    all.forEach((one) => room.enter(one));
    room.leave(all[1]);
    room.leave(all[1]);
    went.length = 0;
    room.release(() => went.length < 2);
    expect([went, room.size, room.queued]).toEqual([[1, 3], 1, 1]);
    room.release(() => true);
    expect([went, room.size]).toEqual([[1, 3, 4], 0]);
  });

  it('is bounded in messages and bytes, places without a turn included', () => {
    const room = new WaitingRoom({ messages: 2, bytes: 10 });
    const place = waiting(0, 4);
    room.take(place);
    expect([room.size, room.queued]).toEqual([1, 0]);
    expect(() => room.enter(waiting(1, 7))).toThrow(/10 bytes/);
    room.enter(waiting(2, 6));
    expect(() => room.enter(waiting(3, 0))).toThrow(/2 messages/);
    room.leave(place);
    room.enter(waiting(4, 4));
    expect(room.size).toBe(2);
  });

  it('forgets those who gave up, however long the way stays closed', () => {
    const room = new WaitingRoom({ messages: 10, bytes: 1_000 });
    const alive = waiting(1);
    room.enter(alive);
    for (let n = 0; n < 50_000; n++) {
      const one = waiting(n);
      room.enter(one);
      room.leave(one);
    }
    expect((room as unknown as { queue: { size: number } }).queue.size).toBeLessThan(2_000);
    went.length = 0;
    room.release(() => true);
    expect(went).toEqual([1]);
  });
});
