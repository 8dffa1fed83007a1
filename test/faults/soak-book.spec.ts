// Who judges the judge of the soak run: each way to break a promise is told to its book alone, without a broker.

import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

type Line = Readonly<Record<string, unknown>> & { readonly at: number };
interface Facts {
  readonly lines: readonly Line[];
  readonly left?: readonly { n: number; queue: string; reason: string }[];
  readonly losses?: readonly { from: number; to: number; what: string }[];
}
const book = join(import.meta.dirname, '..', '..', 'bench', 'soak', 'book.mjs');
const { account } = (await import(book)) as {
  account(facts: Required<Facts> & { secret: string }): { broken: string[] };
};

function broken({ lines, left = [], losses = [] }: Facts): string[] {
  const from = 'a.journal';
  return account({ lines: lines.map((line) => ({ from, ...line })), left, losses, secret: 'hidden' }).broken;
}

const sent = (n: number, plan = 'ok', more = {}): Line => ({ at: n, sent: n, kind: 'work', plan, ...more });
const confirmed = (n: number): Line => ({ at: n + 1, confirmed: n, routed: true });
const handled = (n: number, at = n + 2, more = {}): Line => ({ at, handled: n, kind: 'work', ...more });

describe('the book of a soak run', () => {
  it('is content with a message that was confirmed and handled', () => {
    expect(broken({ lines: [sent(1), confirmed(1), handled(1)] })).toEqual([]);
  });

  it('complains of what was confirmed and is nowhere', () => {
    expect(broken({ lines: [sent(1), confirmed(1)] })).toEqual([expect.stringContaining('is lost')]);
  });

  it('complains of a publish that never settles', () => {
    expect(broken({ lines: [sent(1)] })).toEqual(['1 publishes never settled']);
  });

  it('complains of a dead letter that was to be handled, and of a wrong reason', () => {
    const left = (reason: string) => [{ n: 1, queue: 'soak.work.dead', reason }];
    const lines = (plan: string) => [sent(1, plan), confirmed(1)];
    expect(broken({ lines: lines('reject'), left: left('rejected') })).toEqual([]);
    expect(broken({ lines: lines('ok'), left: left('poison') })).toEqual([
      expect.stringContaining("'poison'"),
    ]);
    expect(broken({ lines: lines('reject'), left: left('poison') })).toEqual([
      expect.stringContaining("'poison'"),
    ]);
  });

  it('complains of what still waits at the end', () => {
    const left = [{ n: 1, queue: 'soak.retry.300', reason: 'unknown' }];
    expect(broken({ lines: [sent(1), confirmed(1)], left })).toEqual([expect.stringContaining('still wait')]);
  });

  it('complains of a message handled twice while nothing was lost', () => {
    const lines = [sent(1), confirmed(1), handled(1, 10), handled(1, 20)];
    expect(broken({ lines })).toEqual([expect.stringContaining('handled twice')]);
    expect(broken({ lines, losses: [{ from: 12, to: 13, what: 'a line is cut' }] })).toEqual([]);
    expect(broken({ lines, losses: [{ from: 9_000, to: 9_001, what: 'later' }] })).toHaveLength(1);
    const alone = [...lines, { at: 12, lost: 'soak:consume' }];
    expect(broken({ lines: alone })).toEqual([]);
    expect(broken({ lines, losses: [{ from: -9_000, to: -8_000, what: 'before' }] })).toHaveLength(1);
  });

  it('complains of a key whose messages change places', () => {
    const ordered = { kind: 'ordered', key: 'k' };
    const lines = [sent(1, 'ok', ordered), sent(2, 'ok', ordered), confirmed(1), confirmed(2)];
    const at = (one: number, two: number) =>
      [...lines, handled(1, one, ordered), handled(2, two, ordered)].sort((a, b) => a.at - b.at);
    expect(broken({ lines: at(10, 11) })).toEqual([]);
    expect(broken({ lines: at(11, 10) })).toEqual([expect.stringContaining('was handled after 2')]);
    const suspect = at(11, 10).map((line) => (line.handled === 1 ? { ...line, suspect: true } : line));
    expect(broken({ lines: suspect })).toEqual([]);
  });

  it('complains of wrong answers, late ends and errors that are not ours', () => {
    const call = (more: object): Line => ({ at: 1, call: 1, took: 5, timeout: 3_000, ...more });
    expect(broken({ lines: [call({ right: true })] })).toEqual([]);
    expect(broken({ lines: [call({ right: false })] })).toEqual(['call 1 got a wrong answer']);
    expect(broken({ lines: [call({ right: true, took: 9_000 })] })).toHaveLength(1);
    expect(broken({ lines: [call({ right: true, took: 9_000, lag: 4_000 })] })).toEqual([]);
    expect(broken({ lines: [call({ right: true, took: 9_000, lag: 3_900 })] })).toHaveLength(1);
    expect(broken({ lines: [call({ code: 'TypeError' })] })).toHaveLength(1);
  });

  it('complains of an end that takes long, unless its process was kept from running', () => {
    const end = (took: number, lag: number): Line => ({ at: 1, ended: 'service-1', took, lag });
    expect(broken({ lines: [end(5_000, 0), end(14_000, 3_000)] })).toEqual([]);
    expect(broken({ lines: [end(14_000, 1_000)] })).toEqual(['a.journal took 14000 ms to close']);
  });

  it('complains of a delay that is cut short', () => {
    const delayed = { delayed: { since: 0, delay: '2s' } };
    expect(broken({ lines: [sent(1), confirmed(1), handled(1, 1_500, delayed)] })).toHaveLength(1);
    expect(broken({ lines: [sent(1), confirmed(1), handled(1, 2_010, delayed)] })).toEqual([]);
  });

  it('complains of memory and handles that grow', () => {
    const life = (heap: (i: number) => number, handles: (i: number) => number) =>
      Array.from({ length: 90 }, (_, i) => ({ at: i, heap: heap(i), rss: 1, handles: handles(i) }));
    const mebi = 1024 * 1024;
    const steady = () => 40 * mebi;
    expect(broken({ lines: life(steady, () => 9) })).toEqual([]);
    expect(
      broken({
        lines: life(
          (i) => (40 + i) * mebi,
          () => 9,
        ),
      }),
    ).toHaveLength(1);
    expect(broken({ lines: life(steady, (i) => i) })).toHaveLength(1);
  });

  it('complains of a password in a log line, and of a way back that takes too long', () => {
    expect(broken({ lines: [{ at: 1, log: 'warn', text: 'amqp://u:hidden@h' }] })).toHaveLength(1);
    const losses = [{ from: 0, to: 100, what: 'broker killed' }];
    const lines = [sent(1), { at: 20_000, confirmed: 1, routed: true }, handled(1, 20_001)];
    expect(broken({ lines, losses })).toHaveLength(2);
    const next = { from: 9_000, to: 9_500, what: 'a line is cut' };
    expect(broken({ lines, losses: [...losses, next] })).toEqual([]);
  });

  it('complains of a publish that was said to have never left and arrived', () => {
    const refused = { at: 2, refused: 1, code: 'WARREN_PUBLISH_TIMEOUT', sentNot: true };
    expect(broken({ lines: [sent(1), refused] })).toEqual([]);
    expect(broken({ lines: [sent(1), refused, handled(1)] })).toHaveLength(1);
  });
});
