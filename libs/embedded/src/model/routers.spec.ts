import { describe, expect, it } from '@jest/globals';
import { encodeTable, type Field, type Table } from '../wire/field-table.js';
import { toTable } from '../wire/plain.js';
import { changeProperties, NO_PROPERTIES, tableProperty } from '../wire/properties.js';
import { binding, Exchange } from './exchange.js';
import { HeadersIndex } from './headers-index.js';
import { MemoryMeter } from './memory-meter.js';
import { Message } from './message.js';
import type { Routable, Router } from './router.js';
import { TopicTrie } from './topic-trie.js';
import { VERSIONS } from './version.js';

const exchange = (name: string, type = 'topic'): Exchange =>
  new Exchange(
    name,
    { type, durable: false, autoDelete: false, internal: false, arguments: new Map() },
    VERSIONS['4'],
    new MemoryMeter(Infinity, () => undefined),
  );

function message(key: string, headers: Table = new Map()): Message {
  const raw = changeProperties(NO_PROPERTIES, [['headers', tableProperty(encodeTable(headers))]]);
  return new Message('x', [key], raw, Buffer.alloc(0));
}

function found(router: Pick<Router<Routable>, 'route'>, one: Message): string[] {
  const names: string[] = [];
  router.route(one, ({ destination }) => names.push(destination.name));
  return names.sort();
}

const topics: readonly (readonly [string, string, boolean])[] = [
  ['a.b', 'a.b', true],
  ['a.*', 'a.b', true],
  ['a.*', 'a', false],
  ['a.*', 'a.', true],
  ['a.#', 'a', true],
  ['a.#.b', 'a.b', true],
  ['a.#.b', 'a.x.y.b', true],
  ['a.#.b', 'a.x.y.c', false],
  ['#', '', true],
  ['*', '', false],
  ['', '', true],
  ['', 'a', false],
  ['#.#', 'a', true],
  ['*.#', '', false],
  ['#.*', 'a', true],
  ['a..b', 'a..b', true],
  ['a.*.b', 'a..b', true],
  ['ab*', 'abc', false],
  ['a.b', 'a.*', false],
  ['a.*', 'a.*', true],
  ['a.*', 'a.#', true],
];

describe('The topic trie', () => {
  it.each(topics)('pattern %j and key %j: %s', (pattern, key, matches) => {
    const trie = new TopicTrie();
    trie.add(binding(exchange('source'), exchange('target'), pattern, new Map()));
    expect(found(trie, message(key))).toEqual(matches ? ['target'] : []);
  });

  it('finds each binding once, however many ways lead to it', () => {
    const trie = new TopicTrie();
    trie.add(binding(exchange('source'), exchange('target'), '#.a.#.a.#', new Map()));
    expect(found(trie, message('a.a.a.a.a.a'))).toEqual(['target']);
  });

  it('is not slowed down by a pattern full of # and a long key', () => {
    const trie = new TopicTrie();
    trie.add(binding(exchange('source'), exchange('target'), `${'#.a.'.repeat(50)}b`, new Map()));
    expect(found(trie, message('a.'.repeat(120)))).toEqual([]);
  });

  it('forgets a binding and keeps its neighbours', () => {
    const trie = new TopicTrie();
    const source = exchange('source');
    const gone = binding(source, exchange('gone'), 'a.b.c', new Map());
    trie.add(gone);
    trie.add(binding(source, exchange('stays'), 'a.b', new Map()));
    trie.remove(gone);
    expect([found(trie, message('a.b.c')), found(trie, message('a.b'))]).toEqual([[], ['stays']]);
  });
});

const five: readonly (readonly [string, Field])[] = [
  ['byte', { type: 'byte', value: 5 }],
  ['signedint', { type: 'signedint', value: 5 }],
  ['long', { type: 'long', value: 5n }],
  ['timestamp', { type: 'timestamp', value: 5n }],
  ['double', { type: 'double', value: 5 }],
];

function headersMatch(wanted: Table, headers: Table, typed = true): boolean {
  const index = new HeadersIndex(typed);
  index.add(binding(exchange('source', 'headers'), exchange('target'), '', wanted));
  return found(index, message('', headers)).length === 1;
}

const kindOf = ({ type }: Field): string => (['timestamp', 'double'].includes(type) ? type : 'whole');

describe('The headers index', () => {
  it.each(five)('finds the number 5 sent as %s: as any number in 3.10, since 4.0 by type', (_, sent) => {
    for (const [, wanted] of five) {
      const [binding, headers] = [new Map([['n', wanted]]), new Map([['n', sent]])];
      expect(headersMatch(binding, headers, false)).toBe(true);
      const alike = wanted.type === 'timestamp' ? 'whole' : kindOf(wanted);
      expect(headersMatch(binding, headers)).toBe(alike === kindOf(sent));
    }
    expect(headersMatch(toTable({ n: '5' }), new Map([['n', sent]]))).toBe(false);
  });

  it.each([
    ['all', { a: 1, b: 2 }, true],
    ['all', { a: 1 }, false],
    ['any', { a: 1, b: 3 }, true],
    ['any', { c: 1 }, false],
  ])('with x-match %s decides about %j: %s', (match, headers, expected) => {
    expect(headersMatch(toTable({ 'x-match': match, a: 1, b: 2 }), toTable(headers))).toBe(expected);
  });

  it('looks at x- headers only when told to', () => {
    const headers = toTable({ a: 1, 'x-b': 3 });
    expect(headersMatch(toTable({ 'x-match': 'all', a: 1, 'x-b': 2 }), headers)).toBe(true);
    expect(headersMatch(toTable({ 'x-match': 'all-with-x', a: 1, 'x-b': 2 }), headers)).toBe(false);
    expect(headersMatch(toTable({ 'x-match': 'any-with-x', z: 1, 'x-b': 3 }), headers)).toBe(true);
  });

  it('takes a binding value of null as "has this header"', () => {
    expect(headersMatch(toTable({ a: null }), toTable({ a: 'anything' }))).toBe(true);
    expect(headersMatch(toTable({ a: null }), toTable({ b: 1 }))).toBe(false);
  });

  it('takes everything for an empty all and nothing for an empty any', () => {
    expect(headersMatch(toTable({ 'x-match': 'all' }), toTable({}))).toBe(true);
    expect(headersMatch(toTable({ 'x-match': 'any' }), toTable({ a: 1 }))).toBe(false);
  });
});

describe('A consistent hash exchange', () => {
  it('gives every key to one destination, always the same, in shares that follow the weights', () => {
    const source = exchange('source', 'x-consistent-hash');
    source.add(binding(source, exchange('one'), '1', new Map()));
    source.add(binding(source, exchange('three'), '3', new Map()));
    const keys = Array.from({ length: 2000 }, (_, n) => `key ${n}`);
    const all = keys.map((key) => found(source, message(key)));
    expect(all.every((names) => names.length === 1)).toBe(true);
    const three = all.flat().filter((name) => name === 'three').length;
    expect(three).toBeGreaterThan(1200);
    expect(three).toBeLessThan(1800);
    expect(keys.map((key) => found(source, message(key)))).toEqual(all);
  });
});
