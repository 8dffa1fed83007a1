import { describe, expect, it } from '@jest/globals';
import type { ReturnRoute } from '../message/headers.js';
import { isWaitName, waitName, waitStep, waitTopology } from './retry-topology.js';

describe('waiting in the broker', () => {
  it.each([
    [0, 10],
    [10, 10],
    [11, 11],
    [99, 99],
    [100, 100],
    [101, 110],
    [1_000, 1_000],
    [1_234, 1_300],
    [120_000, 120_000],
    [2 ** 31 - 1, 2_200_000_000],
  ])('%d ms is rounded up to %d', (ms, step) => expect(waitStep(ms)).toBe(step));

  it('rounding costs at most ten per cent and leaves few different queues', () => {
    const steps = new Set<number>();
    const wrong: number[] = [];
    for (let ms = 10; ms < 1_000_000; ms += 7) {
      const step = waitStep(ms);
      steps.add(step);
      if (step < ms || step > ms * 1.1 + 1) wrong.push(ms);
    }
    expect(wrong).toEqual([]);
    expect(steps.size).toBeLessThan(500);
  });

  const all: readonly ReturnRoute[] = [
    { kind: 'retry' },
    { kind: 'by-name' },
    { kind: 'broadcast' },
    { kind: 'delay', exchange: '' },
    { kind: 'delay', exchange: 'events' },
  ];

  const waiting = (back: ReturnRoute): Record<string, unknown> => {
    const { queues } = waitTopology('shop', 5_000, back, 30_000);
    const name = waitName('shop', 5_000, back);
    return queues.find((queue) => queue.name === name)?.arguments ?? {};
  };

  it.each([
    [{ kind: 'retry' }, 'warren.back'],
    [{ kind: 'by-name' }, ''],
    [{ kind: 'delay', exchange: '' }, 'warren.back'],
    [{ kind: 'delay', exchange: 'events' }, 'shop.delay.to.events'],
  ] as const)('is replicated, and handed over at least once by the broker alone: %j to %p', (back, to) => {
    expect(waiting(back)).toEqual({
      'x-queue-type': 'quorum',
      'x-message-ttl': 35_000,
      'x-dead-letter-exchange': to,
      'x-dead-letter-strategy': 'at-least-once',
      // Without it RabbitMQ takes at-most-once, silently.
      'x-overflow': 'reject-publish',
      'x-delivery-limit': 1_000_000_000,
    });
  });

  it('for a queue of one process it is exact, since nobody moves what waits there', () => {
    expect(waiting({ kind: 'broadcast' })).toEqual({
      'x-queue-type': 'classic',
      'x-message-ttl': 5_000,
      'x-dead-letter-exchange': '',
    });
  });

  it('nothing in which messages wait is the broker to delete', () => {
    const queues = all.flatMap((back) => waitTopology('shop', 5_000, back, 30_000).queues);
    expect(queues.filter((queue) => 'x-expires' in queue.arguments || !queue.durable)).toEqual([]);
  });

  it('different kinds never share a queue, and all names begin with their service', () => {
    const names = all.map((back) => waitName('shop', 1_000, back));
    expect(names).toEqual([
      'shop.retry.1000',
      'shop.retry.1000.by-name',
      'shop.retry.1000.broadcast',
      'shop.delay.1000',
      'shop.delay.1000.events',
    ]);
    const declared = all.flatMap((back) => waitTopology('shop', 1_000, back, 30_000).queues);
    const own = declared.map(({ name }) => name).filter((name) => !name.startsWith('warren.'));
    expect(own).toContain('shop.nowhere');
    expect(own.every((name) => name.startsWith('shop.') && isWaitName(name))).toBe(true);
  });

  it.each([
    ['s'.repeat(245), { kind: 'retry' }],
    ['shop', { kind: 'delay', exchange: 'e'.repeat(250) }],
  ] as const)('a name that would be too long is refused: %s', (service, back) => {
    expect(() => waitName(service, 1_000, back)).toThrow(/name of the queue in which .* is \d+ bytes/);
  });
});
