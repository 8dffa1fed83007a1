// Random bindings and messages of a headers exchange, with values of every type that a client can send: numbers of
// different width, the same thing as text, times, lists, tables, nothing.
import { expect, it } from '@jest/globals';
import { onBothBrokers, onEmbedded, type TestBroker } from '../support/brokers.js';
import { seeded, times, type Random } from './random.js';
import { differences, routeTable } from './route-table.js';

const MANY = 250;
const typed = (type: string, value: unknown): object => ({ '!': type, value });

const values: readonly unknown[] = [
  0,
  1,
  5,
  -5,
  300,
  5000,
  70_000,
  2 ** 40,
  5.5,
  ...['byte', 'short', 'int', 'long', 'double', 'float', 'timestamp'].map((type) => typed(type, 5)),
  typed('timestamp', 300),
  typed('decimal', { places: 1, digits: 50 }),
  '',
  '5',
  'five',
  'true',
  true,
  false,
  null,
  Buffer.from('five'),
  ['five'],
  [5],
  [],
  { a: 5 },
  { a: '5' },
  {},
];

const some = (chance: Random, names: readonly string[], limit: number): Record<string, unknown> =>
  Object.fromEntries(times(chance.below(limit), () => [chance.pick(names), chance.pick(values)]));

const binding = (chance: Random): Record<string, unknown> => {
  const args = some(chance, ['a', 'b', 'c', 'x-d'], 4);
  const match = chance.pick([undefined, 'all', 'any', 'all', 'any', 'all-with-x', 'any-with-x']);
  return match === undefined ? args : { ...args, 'x-match': match };
};

const decide = (
  broker: TestBroker,
  bindings: readonly object[],
  headers: readonly object[],
): Promise<Set<number>[]> =>
  routeTable(
    broker,
    'headers',
    bindings.map((args) => ({ key: '', args })),
    headers.map((each) => ({ key: '', options: { headers: each } })),
  );

onBothBrokers('Random headers', (embedded, rabbitmq) => {
  it('are decided alike', () =>
    seeded(async (chance) => {
      const bindings = times(MANY, () => binding(chance));
      const headers = times(MANY, () => some(chance, ['a', 'b', 'c', 'x-d'], 5));
      const [truth, answer] = [
        await decide(rabbitmq, bindings, headers),
        await decide(embedded, bindings, headers),
      ];
      expect(truth.reduce((sum, set) => sum + set.size, 0)).toBeGreaterThan(MANY);
      const describe = (b: number, m: number): string =>
        `${JSON.stringify(bindings[b])} with ${JSON.stringify(headers[m])}`;
      expect(differences(truth, answer, describe, MANY)).toEqual([]);
    }));

  it('of one value each are decided alike for every pair of values', async () => {
    const bindings = values.map((value) => ({ value }));
    const describe = (b: number, m: number): string =>
      `${JSON.stringify(bindings[b])} with ${JSON.stringify(bindings[m])}`;
    const [truth, answer] = [
      await decide(rabbitmq, bindings, bindings),
      await decide(embedded, bindings, bindings),
    ];
    expect(differences(truth, answer, describe, values.length)).toEqual([]);
  });
});

onEmbedded('Random headers', (embedded) => {
  // Since 4.0 a time in a header is a number of milliseconds, in a binding one of seconds.
  const isTime = (value: unknown): boolean => JSON.stringify(value).startsWith('{"!":"timestamp"');

  it('let through what equals the binding, whatever its type', async () => {
    const bindings = values.map((value) => ({ value }));
    const answer = await decide(embedded, bindings, bindings);
    // Nothing in a binding asks for presence only, and nothing in a message is no value of another binding.
    for (const [n, set] of answer.entries()) expect(set.has(n)).toBe(!isTime(values[n]));
  });
});
