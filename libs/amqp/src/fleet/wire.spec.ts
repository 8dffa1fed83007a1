// Questions and answers as bytes: what is refused, and that nothing of a body goes further than it may.
import { describe, expect, it } from '@jest/globals';
import type { FleetInstance } from './fleet.js';
import { MOST_ANSWER, MOST_QUESTION, readAnswer, readQuestion, writeAnswer, writeQuestion } from './wire.js';

const from: FleetInstance = {
  ...{ id: 'a1', service: 'shop', connection: 'default', host: 'h', pid: 1, version: '1.0.0' },
  startedAt: '2026-01-01T00:00:00.000Z',
};
const bytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

describe('a question', () => {
  it('arrives as it was asked', () => {
    expect(readQuestion(writeQuestion('info', { a: [1] }))).toEqual({ kind: 'info', payload: { a: [1] } });
    expect(readQuestion(writeQuestion('info', undefined))).toEqual({ kind: 'info', payload: undefined });
  });

  it.each([
    ['a kind in capitals', () => writeQuestion('Info', 1)],
    ['a payload that is no JSON', () => writeQuestion('info', 1n)],
    ['a payload above the limit', () => writeQuestion('info', 'x'.repeat(MOST_QUESTION))],
  ])('with %s is not sent', (_, write) => {
    expect(write).toThrow(expect.objectContaining({ code: 'WARREN_ENCODE' }));
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['no JSON', Buffer.from('{')],
    ['null', bytes(null)],
    ['no kind', bytes({ payload: 1 })],
    ['a kind that is none', bytes({ kind: { toString: 1 } })],
    ['a long kind', bytes({ kind: 'x'.repeat(65) })],
    ['a megabyte', bytes({ kind: 'info', payload: 'x'.repeat(1e6) })],
    ['deep JSON', Buffer.from(`{"kind":"info","payload":${'['.repeat(200)}${']'.repeat(200)}}`)],
    ['many containers', Buffer.from(`{"kind":"info","payload":[${'[],'.repeat(20_100)}0]}`)],
  ])('is not read from %s', (_, content) => {
    expect(readQuestion(content)).toBeUndefined();
  });
});

describe('an answer', () => {
  it('arrives with its instance, values and errors alike', () => {
    expect(readAnswer(writeAnswer(from, { value: [1] }))).toEqual({ from, value: [1] });
    const error = { code: 'unknown', message: 'no' } as const;
    expect(readAnswer(writeAnswer(from, { error }))).toEqual({ from, error });
  });

  it('that cannot be sent is an error', () => {
    expect(readAnswer(writeAnswer(from, { value: 1n }))?.error?.code).toBe('failed');
    expect(readAnswer(writeAnswer(from, { value: 'x'.repeat(MOST_ANSWER) }))?.error?.code).toBe('too-large');
  });

  it.each([
    ['no instance', bytes({ value: 1 })],
    ['an instance without an id', bytes({ from: { ...from, id: '' }, value: 1 })],
    ['a pid that is a text', bytes({ from: { ...from, pid: '1' }, value: 1 })],
    ['a long service', bytes({ from: { ...from, service: 'x'.repeat(300) }, value: 1 })],
    ['a start that is no time', bytes({ from: { ...from, startedAt: 'x' }, value: 1 })],
    ['an error without a code', bytes({ from, error: { message: 'x' } })],
    ['text', Buffer.from('rubbish')],
  ])('is not read from %s', (_, content) => {
    expect(readAnswer(content)).toBeUndefined();
  });

  it('keeps nothing of an instance that is not among its facts', () => {
    const read = readAnswer(bytes({ from: { ...from, more: 1, __proto__: { x: 1 } }, value: 1 }));
    expect(read).toEqual({ from, value: 1 });
  });
});
