import { describe, expect, it } from '@jest/globals';
import { ConfigError } from '../errors/errors.js';
import { BROKER_OPTIONS, checkOptions, checkTopology, HANDLER_OPTIONS } from './option-table.js';
import { packageName, settings } from './settings.js';

describe('settings', () => {
  it('have the documented defaults, in milliseconds and bytes', () => {
    expect(settings({ url: 'amqp://h', service: 's' })).toMatchObject({
      exchange: 'events',
      queueType: 'quorum',
      prefetch: 32,
      concurrency: undefined,
      rpc: { timeout: 10_000, reply: 'direct', exposeErrors: false, maxPending: 10_000, replyTo: [] },
      publish: { persistent: true, timeout: 10_000, buffer: { messages: 10_000, bytes: 64 * 1024 * 1024 } },
      startup: 'require',
      startupTimeout: 30_000,
      shutdown: 10_000,
      consumers: true,
      heartbeat: 10_000,
      connectTimeout: 5_000,
      reconnect: { min: 200, max: 1_000 },
      maxMessageBytes: 16 * 1024 * 1024,
      maxUnfoldedBytes: 4 * 1024 * 1024,
      maxJsonContainers: 100_000,
    });
  });

  it('an option that is undefined counts as not given', () => {
    expect(settings({ prefetch: undefined, rpc: { timeout: undefined } }).prefetch).toBe(32);
  });

  it.each([
    [{ min: '10s' }, { min: 10_000, max: 10_000 }],
    [{ max: 100 }, { min: 100, max: 100 }],
    [
      { min: 5, max: 5 },
      { min: 5, max: 5 },
    ],
  ] as const)('waits of reconnect do not contradict each other: %j', (reconnect, waits) => {
    expect(settings({ reconnect }).reconnect).toEqual(waits);
  });

  it('refuses waits of reconnect that do', () => {
    expect(() => settings({ reconnect: { min: '10s', max: '1s' } })).toThrow(
      'reconnect.min (10s) is above reconnect.max (1s)',
    );
  });

  it('the service is the package name without its scope', () => {
    expect(packageName(import.meta.filename)).toBe('amqp');
    expect(packageName('/no/such/place/app.js')).toBe('app');
  });
});

describe('the option table', () => {
  it.each([...BROKER_OPTIONS, ...HANDLER_OPTIONS])(
    '$name says type, default and meaning, and refuses a symbol',
    (row) => {
      expect([row.type, row.default, row.meaning]).not.toContain('');
      expect(row.check(Symbol('x'))).toEqual(expect.any(String));
    },
  );

  it('names what is wrong, what it should be and what there is', () => {
    expect(() => checkOptions('@Consume x', { prefetch: 0 }, HANDLER_OPTIONS)).toThrow(
      /^@Consume x: 'prefetch' must be an integer between 1 and 65535, but is 0/,
    );
    expect(() => checkOptions('@Consume x', { prefech: 1 }, HANDLER_OPTIONS)).toThrow(
      /there is no option 'prefech' \(did you mean prefetch\? known: queue/,
    );
    expect(() => checkOptions('x', { rpc: { reply: 'x' } }, BROKER_OPTIONS)).toThrow(/rpc/);
    expect(() => checkOptions('x', { publish: { buffer: { items: 1 } } }, BROKER_OPTIONS)).toThrow(
      ConfigError,
    );
  });

  it.each([
    [{ retry: { attempts: 0 } }, "'retry.attempts' must be an integer between 1 and 1000, but is 0"],
    [{ retry: { delays: ['1s', 'soon'] } }, "'retry.delays[1]' must be a duration such as"],
    [{ retry: { delays: [] } }, "'retry.delays' must be a duration such as"],
    [
      { retry: { delays: { first: '1s', factor: 0, max: '1m' } } },
      "'retry.delays.factor' must be a number above 1, but is 0",
    ],
    [{ retry: { delays: { first: '1s', step: '1s' } } }, "'retry.delays.max' must be a duration such as"],
    [{ retry: 5 }, "'retry' must be false, or an object with attempts, delays, jitter, on, not, but is 5"],
    [
      { retry: { atempts: 1 } },
      "there is no option 'retry.atempts' (did you mean attempts? known: attempts, delays",
    ],
    [{ retry: { on: [TypeError, 'RangeError'] } }, "'retry.on[1]' must be a function, but is 'RangeError'"],
    [{ batch: { size: 'ten' } }, "'batch.size' must be an integer between 1 and 65535, but is 'ten'"],
    [{ deadLetter: { broker: 1 } }, "'deadLetter.broker' must be true or false, but is 1"],
    [{ exchange: { name: 'x', durable: 'no' } }, "'exchange.durable' must be true or false, but is 'no'"],
    [
      { bindings: [{ exchange: 'x' }, { exchange: 'x', kyes: [] }] },
      "there is no option 'bindings[1].kyes' (did you mean key",
    ],
    [{ bindings: [{ exchange: 'x', match: { every: {} } }] }, "there is no option 'bindings[0].match.every'"],
    [{ concurrency: [] }, "'concurrency' must be an integer between 1 and 65535, but is an empty array"],
    [{ stream: { from: 1 } }, "there is no option 'stream.from' (known: offset)"],
  ])('names the path and shows the value of %j', (options, message) => {
    expect(() => checkOptions('@Consume x', options, HANDLER_OPTIONS)).toThrow(`@Consume x: ${message}`);
  });

  it('names the path in topology without handlers too', () => {
    const queues = [{ name: 'a' }, { name: 'b', maxLenght: 1 }];
    expect(() => checkTopology('forFeature', { queues })).toThrow(
      "forFeature: there is no option 'queues[1].maxLenght' (did you mean maxLength?",
    );
    expect(() => checkTopology('forFeature', { queues: [{ name: 'a', maxPriority: 0 }] })).toThrow(
      "'queues[0].maxPriority' must be an integer between 1 and 255, but is 0",
    );
    expect(() => checkTopology('forFeature', { exchanges: undefined, queues: [] })).not.toThrow();
  });

  it('never shows a URL or a secret', () => {
    for (const options of [
      { url: 5 },
      { service: { password: 's3cr3t' } },
      { exchange: ['amqp://u:s3cr3t@h'] },
      { startup: 'amqp://u:s3cr3t@h' },
      { publish: { buffer: { messages: 'amqp://u:s3cr3t@h' } } },
      { credentials: 's3cr3t' },
      { tls: 's3cr3t' },
    ]) {
      expect(() => checkOptions('x', options, BROKER_OPTIONS)).toThrow(expect.not.stringContaining('s3cr3t'));
    }
  });
});
