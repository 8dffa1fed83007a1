// Random topic patterns and keys over a small alphabet, empty words included: the embedded broker decides like
// RabbitMQ, and the library's own matcher like both.
import { expect, it } from '@jest/globals';
import { matchesRoutingKey } from '../../libs/amqp/src/message/routing-key.js';
import { onBothBrokers, onEmbedded, type TestBroker } from '../support/brokers.js';
import { random, seeded, times, type Random } from './random.js';
import { differences, routeTable } from './route-table.js';

const MANY = 250;

const words = (chance: Random, from: readonly string[]): string =>
  times(chance.below(6), () => chance.pick(from)).join('.');
const pattern = (chance: Random): string => words(chance, ['a', 'b', '', '*', '*', '#', '#', 'a*', '##']);
// RabbitMQ refuses more than two # since 4.3, which the embedded broker does as well.
const allowed = (one: string): boolean => one.split('.').filter((word) => word === '#').length <= 2;
const key = (chance: Random): string => words(chance, ['a', 'b', 'a', 'b', 'c', '', '*', '#']);

const decide = (
  broker: TestBroker,
  patterns: readonly string[],
  keys: readonly string[],
): Promise<Set<number>[]> =>
  routeTable(
    broker,
    'topic',
    patterns.map((each) => ({ key: each })),
    keys.map((each) => ({ key: each })),
  );

onBothBrokers('Random topics', (embedded, rabbitmq) => {
  it('are decided alike', () =>
    seeded(async (chance) => {
      const [patterns, keys] = [
        times(MANY, () => pattern(chance)).filter((one) => !rabbitmq.since('4.0') || allowed(one)),
        times(MANY, () => key(chance)),
      ];
      const [truth, answer] = [
        await decide(rabbitmq, patterns, keys),
        await decide(embedded, patterns, keys),
      ];
      expect(truth.reduce((sum, set) => sum + set.size, 0)).toBeGreaterThan(MANY);
      expect(differences(truth, answer, (p, k) => `'${patterns[p]}' with '${keys[k]}'`, MANY)).toEqual([]);
    }));
});

onEmbedded('Random topics', (embedded) => {
  it('are decided like the library decides them', () =>
    seeded(async (chance) => {
      const [patterns, keys] = [
        times(MANY, () => pattern(chance)).filter(allowed),
        times(MANY, () => key(chance)),
      ];
      const library = patterns.map(
        (each) => new Set(keys.flatMap((one, n) => (matchesRoutingKey(each, one) ? [n] : []))),
      );
      const answer = await decide(embedded, patterns, keys);
      expect(differences(library, answer, (p, k) => `'${patterns[p]}' with '${keys[k]}'`, MANY)).toEqual([]);
    }));

  it('follow from the seed', () => {
    const script = (seed: number): string[] => times(20, () => pattern(random(seed)));
    expect(script(1)).toEqual(script(1));
    expect(script(1)).not.toEqual(script(2));
  });
});
