import { describe, expect, it } from '@jest/globals';
import { MovesInProgress } from './moves-in-progress.js';
import type { ReceivedMessage } from './message.js';

const copy = (id: string): ReceivedMessage =>
  ({ properties: { headers: { 'x-warren-move': id } } }) as unknown as ReceivedMessage;
const turns = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Whether it may run yet. */
function watch(promise: Promise<void> | undefined): { over: boolean } {
  const seen = { over: promise === undefined };
  void promise?.then(() => (seen.over = true));
  return seen;
}

describe('a message that this process moved from its wait', () => {
  it('runs when the broker has taken the ack of its wait, whichever comes first here', async () => {
    for (const order of ['copy first', 'ack first']) {
      const moves = new MovesInProgress();
      const id = moves.begin();
      let taken: () => void = () => undefined;
      const asked = (): Promise<void> => new Promise((resolve) => (taken = resolve));
      if (order === 'ack first') moves.acked(id, asked);
      const run = watch(moves.settled(copy(id)));
      if (order === 'copy first') moves.acked(id, asked);
      await turns();
      expect(run.over).toBe(false);
      taken();
      await turns();
      expect(run.over).toBe(true);
      expect(moves.settled(copy(id))).toBeUndefined();
    }
  });

  it('runs when the channel of its wait dies: the wait comes back, as after any loss', async () => {
    const moves = new MovesInProgress();
    const id = moves.begin();
    const run = watch(moves.settled(copy(id)));
    moves.acked(id, () => Promise.reject(new Error('gone')));
    await turns();
    expect(run.over).toBe(true);
  });

  it('of another process, or without a move, runs at once', () => {
    const moves = new MovesInProgress();
    moves.begin();
    expect(moves.settled(copy('other.1'))).toBeUndefined();
    expect(moves.settled({ properties: {} } as ReceivedMessage)).toBeUndefined();
  });

  it('is remembered in bounds, and what is forgotten holds up nobody', async () => {
    const moves = new MovesInProgress();
    const first = watch(moves.settled(copy(moves.begin())));
    for (let n = 0; n < 100_000; n++) moves.begin();
    await turns();
    expect(first.over).toBe(true);
  });
});
