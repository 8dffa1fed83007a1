import { describe, expect, it } from '@jest/globals';
import { countHeader, forwardable, matchesHeaders, safeHeaders, textHeader } from './headers.js';
import { describeError, printable } from '../runtime/logger.js';
import { thrownFacts } from '../errors/error-facts.js';

describe('headers', () => {
  it('are taken over without a prototype, and without __proto__', () => {
    const received = JSON.parse('{"__proto__":{"polluted":1},"toString":"x","a":1}') as Record<
      string,
      unknown
    >;
    const headers = safeHeaders(received);
    expect(Object.getPrototypeOf(headers)).toBe(null);
    expect(Object.keys(headers)).toEqual(['toString', 'a']);
    expect((headers as { polluted?: unknown }).polluted).toBeUndefined();
    expect(Object.keys(safeHeaders(undefined))).toEqual([]);
  });

  it.each([['many'], [-1], [1.5], [NaN], [null], [[]], [{}], [2 ** 60]])(
    'a count that is %p counts as none',
    (value) => {
      expect(countHeader({ n: value }, 'n')).toBe(0);
    },
  );

  it('counts are bounded and text is text', () => {
    expect(countHeader({ n: 3 }, 'n')).toBe(3);
    expect(countHeader({ n: 10 ** 12 }, 'n')).toBe(1_000_000);
    expect([textHeader({ t: 'x' }, 't'), textHeader({ t: 5 }, 't')]).toEqual(['x', undefined]);
  });

  it('what would route copies or confuse the broker is not sent on', () => {
    const sent = {
      CC: ['a'],
      Bcc: ['b'],
      'x-death': [],
      'x-first-death-queue': 'q',
      'x-delivery-count': 3,
      'x-own': 1,
      keep: 2,
    };
    expect(forwardable(sent)).toEqual({ 'x-own': 1, keep: 2 });
  });

  it('match as a headers exchange matches', () => {
    const headers = { a: 1, b: 'x', n: null };
    expect(matchesHeaders({ all: { a: 1, b: 'x' } }, headers)).toBe(true);
    expect(matchesHeaders({ all: { a: 1, b: 'y' } }, headers)).toBe(false);
    expect(matchesHeaders({ any: { a: 2, b: 'x' } }, headers)).toBe(true);
    expect(matchesHeaders({ any: { z: 1 } }, headers)).toBe(false);
    expect(matchesHeaders({ all: {} }, headers)).toBe(true);
    expect(matchesHeaders({ any: {} }, headers)).toBe(false);
    expect(matchesHeaders({ all: { b: null } }, headers)).toBe(true);
    expect(matchesHeaders({ all: { z: null } }, headers)).toBe(false);
    expect(matchesHeaders({ all: { 'x-ignored': 1, a: 1 } }, headers)).toBe(true);
    expect(matchesHeaders({ all: { toString: null } }, headers)).toBe(false);
  });
});

describe('what is logged', () => {
  it('has no control characters and an end', () => {
    expect(printable('a\r\nb\u001b[31m\0\u2028')).toBe('a\\x0d\\x0ab\\x1b[31m\\x00\\u{2028}');
    expect(printable('x'.repeat(2_000))).toHaveLength(1_000);
    expect(printable('x'.repeat(2_000), 200)).toHaveLength(200);
    expect(printable(undefined)).toBe('undefined');
  });

  it('describes whatever was thrown', () => {
    expect(describeError(new TypeError('x'))).toBe('TypeError: x');
    expect(describeError({ a: 1 })).toBe('{"a":1}');
    expect(describeError({ toJSON: () => undefined })).toBe('undefined');
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    expect(describeError(circular)).toBe('an error that cannot be printed');
    expect(thrownFacts(Object.assign(new Error('x'), { message: { a: 1 }, name: 5 }))).toMatchObject({
      name: '5',
      message: '{"a":1}',
    });
    expect(thrownFacts(new Error('x', { cause: new Error('deep') })).stack).toMatch(/caused by Error: deep/);
    expect(thrownFacts('text')).toEqual({ name: 'string', message: 'text', stack: '' });
  });
});
