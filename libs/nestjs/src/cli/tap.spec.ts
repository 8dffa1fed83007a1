// What `warren tap` prints of messages, of which nothing is trusted, and how it reads its arguments.
import { describe, expect, it } from '@jest/globals';
import type { TapOptions, TappedMessage } from '@warren/amqp';
import { UsageError } from './arguments.js';
import { messageJson, messageText, parseTap, runTap } from './tap.js';

const at = new Date('2026-01-02T03:04:05.678Z');

function message(more: Partial<TappedMessage> = {}): TappedMessage {
  const content = Buffer.from('{"order":1}');
  return { exchange: 'events', routingKey: 'order.made', properties: {}, headers: {}, content, ...more };
}

describe('what `warren tap` prints of a message', () => {
  it('is a line with its facts, its headers and its body', () => {
    const properties = { messageId: 'm1', appId: 'shop', contentType: 'application/json' };
    expect(messageText(message({ properties, headers: { tenant: 'eu' } }), at, 1_000).split('\n')).toEqual([
      '03:04:05.678  order.made  id m1  from shop  11 bytes application/json',
      '    {"tenant":"eu"}',
      '    {"order":1}',
    ]);
    expect(messageText(message(), at, 0)).toBe('03:04:05.678  order.made  11 bytes');
  });

  it('is one line with --json, which parses', () => {
    const properties = { messageId: 'm1', headers: { tenant: 'eu' } };
    const line = messageJson(message({ properties, headers: { tenant: 'eu' } }), at, Infinity);
    expect(line).not.toContain('\n');
    expect(JSON.parse(line)).toEqual({
      at: '2026-01-02T03:04:05.678Z',
      exchange: 'events',
      routingKey: 'order.made',
      properties: { messageId: 'm1' },
      headers: { tenant: 'eu' },
      bytes: 11,
      body: '{"order":1}',
    });
  });

  it('has of a body so many bytes, no half characters, and says that there is more', () => {
    const content = Buffer.from('añb');
    const shown = (most: number): unknown => messageText(message({ content }), at, most).split('\n')[1];
    expect([1, 2, 3, 4].map(shown)).toEqual(['    a…', '    a…', '    añ…', '    añb']);
    expect(JSON.parse(messageJson(message({ content }), at, 2))).toMatchObject({
      body: 'a',
      cut: true,
      bytes: 4,
    });
    expect(JSON.parse(messageJson(message({ content }), at, 4))).not.toHaveProperty('cut');
    expect(JSON.parse(messageJson(message({ content }), at, 0))).not.toHaveProperty('body');
  });

  it('has bytes that are no text as hexadecimal digits, and as base64 with --json', () => {
    const content = Buffer.from([0, 1, 255]);
    expect(messageText(message({ content }), at, 10)).toContain('    0001ff');
    expect(JSON.parse(messageJson(message({ content }), at, 10))).toMatchObject({ bodyBase64: 'AAH/' });
  });

  it('has nothing that a terminal would obey', () => {
    const evil = 'x\u001b]0;owned\u0007\u009b31m\u202e\r\n';
    const properties = { messageId: evil, appId: evil, type: evil, contentType: evil, correlationId: evil };
    const hostile = message({
      exchange: evil,
      routingKey: evil,
      properties: { ...properties, contentEncoding: evil, replyTo: evil },
      headers: { [evil]: evil },
      content: Buffer.from(evil),
    });
    for (const printed of [messageText(hostile, at, 100), messageJson(hostile, at, 100)]) {
      expect(printed.replaceAll('\n    ', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    }
    expect(messageText(hostile, at, 100).split('\n')).toHaveLength(3);
  });
});

describe('the arguments of `warren tap`', () => {
  it('are events and everything by default, or an exchange, keys and limits', () => {
    expect(parseTap([], {})).toEqual({
      options: { exchange: 'events' },
      limit: Infinity,
      body: 1_000,
      json: false,
    });
    const args = ['a.#', 'b', '--exchange', 'x', '--limit', '3', '--json'];
    expect(parseTap(args, { RABBITMQ_URL: 'amqp://h' })).toEqual({
      options: { exchange: 'x', url: 'amqp://h', keys: ['a.#', 'b'] },
      limit: 3,
      body: Infinity,
      json: true,
    });
    expect(parseTap(['--body', '0'], {})).toMatchObject({ body: 0 });
  });

  it('are headers as text, unless they are a number, true or false', () => {
    const given = ['a=b', 'n=5', 'f=-1.5', 't=true', 'q="5"', 'e=', 'x=a=b', 'bad="', 'any'];
    expect(
      parseTap(
        given.flatMap((each) => ['--headers', each]),
        {},
      ).options.headers,
    ).toEqual({
      a: 'b',
      n: 5,
      f: -1.5,
      t: true,
      q: '5',
      e: '',
      x: 'a=b',
      bad: '"',
      any: null,
    });
  });

  it.each([
    [['--limit', '0'], '--limit must be a positive integer'],
    [['--body', 'all'], '--body must be a positive integer'],
    [['--headers', '=v'], '--headers requires a name'],
    [['a.#', '--headers', 'k=v'], 'either keys or --headers'],
    [['--exchange', ''], '--exchange requires a name'],
    [['--nonsense'], 'nonsense'],
  ])('%j are wrong usage', (args, complaint) => {
    expect(() => parseTap(args, {})).toThrow(UsageError);
    expect(() => parseTap(args, {})).toThrow(complaint);
  });
});

it('`warren tap` ends after --limit messages, and stops reading then', async () => {
  const printed: string[] = [];
  const interrupt = new AbortController();
  const terminal = {
    out: (text: string) => void printed.push(text),
    err: () => undefined,
    program: 'warren',
    environment: {},
    signal: interrupt.signal,
  };
  let [left, drained] = [false, 0];
  async function* read({ signal }: TapOptions = {}) {
    try {
      await Promise.resolve();
      while (!signal?.aborted) yield message();
    } finally {
      left = true;
    }
  }
  const drains = { ...terminal, drained: () => Promise.resolve(void drained++) };
  expect(await runTap(['--limit', '2', '--json'], drains, read)).toBe(0);
  expect(printed).toHaveLength(2);
  expect(left).toBe(true);
  // Between the two: it reads no faster than its output is taken.
  expect(drained).toBe(1);
  interrupt.abort();
  expect(await runTap([], terminal, read)).toBe(130);
});
