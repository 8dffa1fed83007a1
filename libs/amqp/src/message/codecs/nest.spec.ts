// The envelope of Nest's transport: which handler of a shared queue a body is for.
import { describe, expect, it } from '@jest/globals';
import { nest, nestPattern } from './nest.js';

const accepts = (pattern: Parameters<typeof nestPattern>[0], body: unknown): boolean | undefined => {
  const content = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return nestPattern(pattern).accepts?.(content, {});
};

describe('nestPattern', () => {
  it.each<[string, Parameters<typeof nestPattern>[0], unknown, boolean]>([
    ['its own pattern', 'quote', { pattern: 'quote', data: 1, id: '7' }, true],
    ['an event', 'quote', { pattern: 'quote', data: 1 }, true],
    ['another pattern', 'quote', { pattern: 'quotes', data: 1 }, false],
    [
      'an object with its keys in another order',
      { a: 1, b: { d: 2, c: 3 } },
      { pattern: { b: { c: 3, d: 2 }, a: 1 } },
      true,
    ],
    ['an object as its JSON', { a: 1, b: 2 }, { pattern: '{"b":2,"a":1}', data: 1 }, true],
    ['another object', { a: 1 }, { pattern: { a: 2 }, data: 1 }, false],
    ['text in braces', '{a}', { pattern: '{a}', data: 1 }, true],
    ['a number', '5', { pattern: 5, data: 1 }, true],
    ['JSON of other programs', 'quote', { pattern: 'quote', color: 'red' }, false],
    ['no JSON', 'quote', 'quote', false],
    ['nothing', 'quote', '', false],
    ['no pattern', 'null', { pattern: null, data: 1 }, true],
  ])('looks at %s', (_name, pattern, body, expected) => {
    expect(accepts(pattern, body)).toBe(expected);
  });

  it('is the same for every handler that asks, and says nothing of bodies that are no UTF-8', () => {
    const [one, other] = [nestPattern('one'), nestPattern('other')];
    const content = Buffer.from('{"pattern":"other","data":1}');
    expect([one, other, one, other].map((codec) => codec.accepts?.(content, {}))).toEqual([
      false,
      true,
      false,
      true,
    ]);
    expect(one.accepts?.(Buffer.from([0x22, 0xff, 0x22]), {})).toBe(false);
    expect(nest.accepts).toBeUndefined();
  });
});
