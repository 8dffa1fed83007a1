// The matcher against a slow one that says what AMQP says, word by word, and against the broker's answers.

import { describe, expect, it } from '@jest/globals';
import { matchesRoutingKey, specificity } from './routing-key.js';

/** `*` is one word, `#` is none or more; an empty key has no words. */
function oracle(pattern: readonly string[], key: readonly string[]): boolean {
  if (pattern.length === 0) return key.length === 0;
  const [word, ...rest] = pattern;
  if (word === '#') return oracle(rest, key) || (key.length > 0 && oracle(pattern, key.slice(1)));
  return key.length > 0 && (word === '*' || word === key[0]) && oracle(rest, key.slice(1));
}

const words = (text: string): string[] => (text === '' ? [] : text.split('.'));

function* combinations(alphabet: readonly string[], longest: number): Generator<string> {
  for (let lists: string[][] = [[]], length = 0; length <= longest; length++) {
    if (length > 0) yield* lists.map((list) => list.join('.'));
    lists = lists.flatMap((list) => alphabet.map((word) => [...list, word]));
  }
}

describe('matchesRoutingKey', () => {
  it('agrees with the definition for every pattern of up to four words and every key of up to four', () => {
    const keys = [...new Set(['', ...combinations(['a', 'b', ''], 4)])];
    const wrong: string[] = [];
    let pairs = 0;
    for (const pattern of new Set(['', ...combinations(['a', '*', '#', ''], 4)])) {
      for (const key of keys) {
        pairs++;
        if (matchesRoutingKey(pattern, key) !== oracle(words(pattern), words(key)))
          wrong.push(`${pattern} / ${key}`);
      }
    }
    expect(pairs).toBeGreaterThan(30_000);
    expect(wrong).toEqual([]);
  });

  it('stays fast for patterns that make a backtracking matcher explode', () => {
    const pattern = Array.from({ length: 40 }, () => '#.a').join('.');
    const began = performance.now();
    expect(matchesRoutingKey(pattern, `${'a.'.repeat(39)}b`)).toBe(false);
    expect(matchesRoutingKey(pattern, 'a.'.repeat(99) + 'a')).toBe(true);
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  it('takes words as text, not as regular expressions or property names', () => {
    expect(matchesRoutingKey('a+.b', 'aa.b')).toBe(false);
    expect(matchesRoutingKey('__proto__.*', '__proto__.toString')).toBe(true);
    expect(matchesRoutingKey('a*', 'ab')).toBe(false);
    expect(matchesRoutingKey('ä.#', 'ä.ö')).toBe(true);
  });
});

describe('specificity', () => {
  it('orders exact keys, then literal words, then stars, then hashes', () => {
    const sorted = [
      '#',
      'order.#',
      'order.eu.created',
      'order.*.created',
      '#.created',
      '*.*.created',
      '*',
      'order.eu.#',
    ];
    sorted.sort((one, other) => specificity(other) - specificity(one));
    expect(sorted).toEqual([
      'order.eu.created',
      'order.*.created',
      'order.eu.#',
      '*.*.created',
      'order.#',
      '#.created',
      '*',
      '#',
    ]);
  });
});
