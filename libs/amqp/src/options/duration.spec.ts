import { describe, expect, it } from '@jest/globals';
import { humanDuration, MAX_DURATION, milliseconds, type Duration } from './duration.js';

describe('milliseconds', () => {
  it.each<[Duration, number]>([
    [0, 0],
    [1.4, 1],
    ['250ms', 250],
    ['1.5s', 1_500],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['1d', 86_400_000],
    [MAX_DURATION, MAX_DURATION],
  ])('%s is %d', (value, expected) => expect(milliseconds(value, 'x')).toBe(expected));

  it.each([-1, NaN, Infinity, MAX_DURATION + 1, '25d', '5', 's', '-1s', '1 s', '', null, undefined, {}, [5]])(
    '%p is refused with the name of the option',
    (value) =>
      expect(() => milliseconds(value as Duration, 'rpc.timeout')).toThrow(
        /^rpc\.timeout must be a duration/,
      ),
  );
});

describe('humanDuration', () => {
  it.each([
    [0, '0ms'],
    [999, '999ms'],
    [999.7, '1s'],
    [1_500, '1.5s'],
    [59_960, '1m'],
    [90_000, '1m30s'],
    [119_600, '2m'],
    [120_000, '2m'],
    [3_599_999, '1h'],
    [3_600_000, '1h'],
    [5_400_000, '1h30m'],
  ])('%d is %s', (ms, expected) => expect(humanDuration(ms)).toBe(expected));
});
