import { describe, expect, it } from '@jest/globals';
import { waitExchange, waitStep, waitTopology } from './wait-queues.js';

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

  it('the queue outlives every message that a fresh declaration may still send into it', () => {
    const { exchanges, queues, bindings } = waitTopology(5_000, { exchange: 'events', replicated: false });
    expect(exchanges[0]).toMatchObject({ name: 'warren.wait.5000.events', type: 'fanout', durable: true });
    expect(queues[0].arguments).toEqual({
      'x-queue-type': 'classic',
      'x-message-ttl': 5_000,
      'x-dead-letter-exchange': 'events',
      'x-expires': 305_000,
    });
    expect(bindings[0]).toMatchObject({
      source: waitExchange(5_000, { exchange: 'events', replicated: false }),
      destination: { name: queues[0].name },
    });
  });

  it('for a quorum queue it is one too, and hands over at least once', () => {
    const { queues, bindings } = waitTopology(5_000, { exchange: 'warren.back', replicated: true });
    expect(queues).toEqual([
      expect.objectContaining({
        name: 'warren.retry.5000.quorum',
        arguments: {
          'x-queue-type': 'quorum',
          'x-message-ttl': 5_000,
          'x-dead-letter-exchange': 'warren.back',
          'x-dead-letter-strategy': 'at-least-once',
          // Without it RabbitMQ takes at-most-once, silently.
          'x-overflow': 'reject-publish',
          'x-expires': 305_000,
        },
      }),
    ]);
    expect(bindings).toHaveLength(1);
  });

  it('retries and delays, replicated or not, never share a queue: their arguments differ', () => {
    const names = [
      { exchange: '', replicated: false },
      { exchange: 'warren.back', replicated: false },
      { exchange: 'warren.back', replicated: true },
      { exchange: 'events', replicated: false },
    ].map((back) => waitExchange(1_000, back));
    expect(new Set(names).size).toBe(4);
  });
});
