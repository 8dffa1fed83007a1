// The cases of the benchmark and the tables made of them: names are unique, those who take part exist, and who cannot do a case
// is not left out of its row.
import { describe, expect, it } from '@jest/globals';
import { cases } from '../../bench/speed/cases.mjs';
import { brokers, contenders } from '../../bench/speed/packages.mjs';
import { tablesOf } from '../../tools/docs/performance.mjs';

const keys = (list: readonly { readonly key: string }[]): string[] => list.map(({ key }) => key);

describe('the cases of the benchmark', () => {
  it('have names and titles of their own', () => {
    expect(new Set(keys(cases)).size).toBe(cases.length);
    expect(new Set(cases.map(({ title }) => title)).size).toBe(cases.length);
  });

  it('name contenders that exist, in the quick run those that can do them', () => {
    for (const { key, only, between, quick } of cases) {
      const able = only ?? keys(between === undefined ? contenders : brokers);
      const few = typeof quick === 'object' ? quick : [];
      const known = keys([...contenders, ...brokers]);
      expect({ key, unknown: able.filter((name) => !known.includes(name)) }).toEqual({ key, unknown: [] });
      expect({ key, unable: few.filter((name) => !able.includes(name)) }).toEqual({ key, unable: [] });
    }
  });
});

describe('the tables of the benchmark', () => {
  const facts = { date: '2026-11-28', command: '', rounds: 3, peerRounds: 2 };
  const machine = { node: '20', rabbitmq: '4.3', processors: 2, cpu: '' };
  const times = { p50: 0.5, p99: 1.25, p999: 20, delay: 0.4, longest: 3, ms: 1 };
  const cell = { ...times, cpu: 5, rate: 1234, rss: 1, bytes: 900 };
  const versions = (list: readonly { readonly key: string; readonly title: string }[]) =>
    list.map(({ key, title }) => ({ key, title, version: '1' }));
  const table = (group: string, cells: Record<string, object>): string =>
    tablesOf({
      ...facts,
      ...machine,
      contenders: versions(contenders.slice(0, 2)),
      brokers: versions(brokers),
      cases: [
        { group, title: 'first', cells: cells as Record<string, typeof cell> },
        { group, title: 'second', cells: { warren: cell, embedded: cell } },
      ],
    });

  it('say n/a where a contender cannot do a case, and the error where it failed', () => {
    const text = table('held', { 'warren-amqp': { error: 'it ended with 1' } });
    expect(text).toMatch(/\| first +\| n\/a +\| error: it ended with 1 +\| n\/a/);
    expect(text).toMatch(/\| second +\| 900 B +\| n\/a/);
  });

  it('show latencies, delays, and both brokers', () => {
    expect(table('half', { warren: cell })).toMatch(/\| first +\| 0\.50 \/ 1\.25 \/ 20 ms, 1234 a second/);
    expect(table('delay', { warren: cell })).toMatch(/\| first +\| 0\.4 \/ 3\.0 ms/);
    expect(table('brokers', { embedded: cell, rabbitmq: { rate: 20_000 } })).toMatch(
      /\| first +\| n\/a +\| 1234 \(5\.0 µs\) +\| 20 000 +\|/,
    );
  });

  it('show what a call costs its client and its server', () => {
    const sides = { client: { ratio: 1.1, floor: 1.2 }, server: { ratio: 0.9 } };
    const text = table('rpc', { warren: { ...cell, client: 3, server: 2, sides } });
    expect(text).toMatch(/\| first, client +\| 1\.10 \/ 1\.20 \(3\.0 µs\)/);
    expect(text).toMatch(/\| first, server +\| 0\.90 \(2\.0 µs\)/);
    expect(text).not.toMatch(/second, client/);
  });

  it('say that peers take part in fewer rounds', () => {
    expect(table('held', {})).toContain(
      'medians of at most 3 rounds, of 2 for naive amqplib and other libraries.',
    );
  });
});
