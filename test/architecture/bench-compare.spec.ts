// The comparison of two runs of the benchmark: what it calls moved, and what it takes for noise.
import { describe, expect, it } from '@jest/globals';
import { compare, compared } from '../../bench/speed/compare.mjs';

type Result = Parameters<typeof compare>[0];

const FIGURES = { cpu: 1, rate: 1, p50: 1, p99: 1, p999: 1, delay: 1, longest: 1, ms: 1, rss: 1, bytes: 1 };

/** A run with one ratio for each case and contender, and those of its rounds. */
function run(cases: Record<string, Record<string, number[]>>): Result {
  return {
    ...{ date: '2026-11-28', command: '', rounds: 3, node: '20', rabbitmq: '4.3', processors: 2, cpu: '' },
    contenders: [],
    cases: Object.entries(cases).map(([title, cells]) => ({
      ...{ title, group: 'publish' },
      cells: Object.fromEntries(
        Object.entries(cells).map(([key, ratios]) => [
          key,
          { ...FIGURES, ratio: [...ratios].sort()[ratios.length >> 1], ratios },
        ]),
      ),
    })),
  };
}

describe('the comparison of two runs of the benchmark', () => {
  it('names what moved by more than the spread of the rounds, and what of that is worse', () => {
    const before = run({
      steady: { warren: [0.8, 0.82, 0.84] },
      slower: { warren: [0.7, 0.71, 0.72], golevelup: [1, 1.01, 1.02] },
      faster: { 'warren-amqp': [0.9, 0.91, 0.92] },
    });
    const now = run({
      steady: { warren: [0.83, 0.85, 0.87] },
      slower: { warren: [0.79, 0.8, 0.81], golevelup: [1.5, 1.51, 1.52] },
      faster: { 'warren-amqp': [0.7, 0.71, 0.72] },
    });
    const { moved, worse } = compare(before, now);
    expect(moved.map(({ title, contender }) => `${title} ${contender}`)).toEqual([
      ...['slower golevelup', 'faster warren-amqp', 'slower warren'],
    ]);
    expect(worse).toEqual([
      expect.objectContaining({ title: 'slower', contender: 'warren', before: 0.71, now: 0.8 }),
    ]);
  });

  it('takes the larger spread of both runs for the noise', () => {
    const calm = run({ one: { warren: [1, 1.01, 1.02] } });
    const wild = run({ one: { warren: [0.9, 1.2, 1.3] } });
    expect(compare(calm, wild).moved).toEqual([]);
    expect(compare(wild, calm).moved).toEqual([]);
  });

  it('does not judge a single round, and says what only one run has', () => {
    const { moved, unknown, missing } = compare(
      run({ one: { warren: [1] } }),
      run({ one: { warren: [2] }, two: { warren: [1, 1] } }),
    );
    expect([moved, unknown, missing]).toEqual([[], ['one, warren'], ['two']]);
  });

  it('reads files of runs that did not keep their rounds', () => {
    const before = run({ one: { warren: [1, 1.1] } });
    const { ratios, ...cell } = before.cases[0].cells.warren;
    expect(ratios).toHaveLength(2);
    const old = { ...before, cases: [{ ...before.cases[0], cells: { warren: cell } }] };
    expect(compared(old, run({ one: { warren: [1.4, 1.41, 1.42] } }))).toEqual([
      'Ratios to tuned amqplib, compared with those of 2026-11-28, RabbitMQ 4.3, Node 20:',
      '  none moved by more than the noise',
      '  1 not compared: one round does not tell the noise',
    ]);
  });
});
