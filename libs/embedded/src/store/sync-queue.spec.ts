import { describe, expect, it } from '@jest/globals';
import type { SegmentWriter } from './segments.js';
import { SyncQueue } from './sync-queue.js';

describe('those who wait for the disk', () => {
  it('are told by a wait for it only when it has ended, also while another one is in progress', () => {
    const log: string[] = [];
    let end = (): void => undefined;
    const writer: Pick<SegmentWriter, 'sync' | 'syncLater'> = {
      sync: () => void log.push('synced'),
      syncLater: (done) => (end = () => done(null)),
    };
    const queue = new SyncQueue(
      () => writer as SegmentWriter,
      () => log.push('failed'),
    );
    queue.dirty();
    queue.after((ok) => log.push(`told ${ok}`));
    expect(queue.now()).toBe(true);
    end();
    expect(log).toEqual(['synced', 'told true']);
  });
});
