// Whatever is thrown ends as readable facts.
import { access } from 'node:fs/promises';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { isError } from './errors.js';
import { describeError } from '../runtime/logger.js';
import { thrownFacts, thrownValue } from './error-facts.js';

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

describe('an error of another realm', () => {
  const foreign = runInNewContext(`
    class OrderError extends TypeError {}
    new OrderError('no such order', { cause: new Error('disk full', { cause: new RangeError('too far') }) })
  `) as Error;

  it('has class, message and stack, and so have its causes', () => {
    expect(foreign).not.toBeInstanceOf(Error);
    const { name, message, stack } = thrownFacts(foreign);
    expect([name, message]).toEqual(['TypeError', 'no such order']);
    expect(stack).toMatch(/no such order[^]*caused by Error: disk full[^]*caused by RangeError: too far/);
    expect(describeError(foreign)).toBe('TypeError: no such order');
  });

  it('is told from what only looks like one', async () => {
    const missing: unknown = await access('/there/is/no/such/file').catch((error: unknown) => error);
    expect(describeError(missing)).toMatch(/^Error: ENOENT/);
    expect(thrownFacts(AbortSignal.abort().reason)).toMatchObject({ name: 'AbortError' });
    expect(isError({ name: 'Error', message: 'x', stack: 'x' })).toBe(false);
    expect([null, undefined, 'text', () => 1].some(isError)).toBe(false);
  });

  it('may be its own cause', () => {
    const circular = new Error('again');
    circular.cause = circular;
    expect(thrownFacts(circular).stack.match(/caused by/g)).toHaveLength(5);
  });
});
