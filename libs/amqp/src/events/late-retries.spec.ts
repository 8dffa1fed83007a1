// Which messages count as late: those that say when their wait was over, in a time that can be.
import { expect, it } from '@jest/globals';
import { systemClock } from '../runtime/clock.js';
import { SILENT } from '../runtime/logger.js';
import { Events } from './emitter.js';
import { counters } from './events.js';
import { LateRetries } from './late-retries.js';

const now = Date.UTC(2026, 0);

it.each([
  [now - 5_001, 1],
  [now - 5_000, 0],
  [now + 3_600_000, 0],
  [NaN, 0],
  [-Infinity, 0],
  [Infinity, 0],
  [0, 0],
  [now / 1_000, 0],
  ['soon', 0],
])('a message whose wait was over at %s is late: %d', (due, late) => {
  const count = counters();
  const clock = { ...systemClock, wall: () => now, after: () => () => undefined };
  const retries = new LateRetries({
    clock,
    counters: count,
    events: new Events(SILENT, 'test'),
    logger: SILENT,
  });
  const message = { exchange: 'warren.back', properties: { headers: { 'x-warren-due': due } } };
  expect(retries.arrived(message as never)).toBeUndefined();
  expect(count.retriesLate).toBe(late);
});
