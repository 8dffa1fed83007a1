// What a message takes over from the one that is handled when it is sent.
import { describe, expect, it } from '@jest/globals';
import { inheritance, inheritedHeaders } from './current-delivery.js';
import type { Delivery } from './delivery.js';

const propagated = (value: unknown): unknown => {
  const handled = { headers: { n: value } } as unknown as Delivery;
  const rules = { correlation: false, propagate: ['n', 'missing'] };
  const headers = inheritedHeaders(inheritance(handled, rules), undefined);
  expect(Object.keys(headers)).not.toContain('missing');
  return headers.n;
};

describe('a propagated header', () => {
  it.each([[-1e300], [2 ** 51 + 0.5], [NaN]])('that is %p is written as a double', (value) => {
    expect(propagated(value)).toEqual({ '!': 'double', value });
  });

  it.each([['text'], [0], [-1.5], [2 ** 53], [true]])('%p is taken over as it is', (value) => {
    expect(propagated(value)).toBe(value);
  });

  it.each([[{ a: 1 }], [null], ['x'.repeat(1_025)]])('%j is not taken over', (value) => {
    expect(propagated(value)).toBeUndefined();
  });

  it('is one that all messages of a batch have', () => {
    const of = (n: number) => ({ headers: { n } }) as unknown as Delivery;
    const rules = { correlation: false, propagate: ['n'] };
    expect(inheritance([of(-1e300), of(-1e300)], rules).headers.n).toEqual({ '!': 'double', value: -1e300 });
    expect(inheritance([of(-1e300), of(-2e300)], rules).headers).toEqual({});
  });
});
