import { describe, expect, it } from '@jest/globals';
import { thrownValue } from './thrown.js';

const trap = {
  get message(): string {
    throw new Error('no');
  },
  left: 1,
};

describe('what was thrown and is no error', () => {
  it.each<[string, unknown, object]>([
    ['text', 'sold out', { name: 'string', message: 'sold out' }],
    ['nothing', undefined, { name: 'undefined', message: 'the handler threw undefined' }],
    ['null', null, { name: 'null', message: 'the handler threw null' }],
    ['a number', 7, { name: 'number', message: 'the handler threw 7' }],
    [
      'an object with a message',
      { message: 'sold out', left: 0 },
      { name: 'object', message: 'sold out', data: { message: 'sold out', left: 0 } },
    ],
    [
      'an object without',
      { reason: 'x', run: () => 1, big: 1n },
      {
        name: 'object',
        message: 'the handler threw an object without a message: see its data',
        data: { reason: 'x' },
      },
    ],
    ['an empty object', {}, { name: 'object', message: 'the handler threw an object without a message' }],
    [
      'an object with a trap',
      trap,
      {
        name: 'object',
        message: 'the handler threw an object without a message: see its data',
        data: { left: 1 },
      },
    ],
  ])('%s becomes a sentence, and keeps its fields', (_case, thrown, facts) => {
    expect(thrownValue(thrown)).toEqual(facts);
  });
});
