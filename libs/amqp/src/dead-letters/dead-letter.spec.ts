// Which dead letters a filter selects.
import { expect, it } from '@jest/globals';
import { matchesFilter, type DeadLetter } from './dead-letter.js';

const DAY = 86_400_000;

it('selects by age, also by one that is longer than any timer', () => {
  const now = Date.UTC(2026, 10, 28);
  const failed = (days: number) => ({ failedAt: new Date(now - days * DAY) }) as DeadLetter;
  const older = matchesFilter({ olderThan: '30d' }, now);
  expect([29, 31].map((days) => older(failed(days)))).toEqual([false, true]);
  const newer = matchesFilter({ newerThan: '30d' }, now);
  expect([29, 31].map((days) => newer(failed(days)))).toEqual([true, false]);
  expect(() => matchesFilter({ olderThan: 'long' as '1d' }, now)).toThrow('olderThan must be a duration');
});
