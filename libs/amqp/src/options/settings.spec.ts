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

  const codec = { name: 'avro', contentTypes: ['avro/binary', 'avro/*'], encode: () => 1, decode: () => 1 };
  class Codec {
    readonly name = 'class';
    readonly contentTypes = [];
    encode(): void {}
    decode(): void {}
  }
  const validating = { '~standard': { validate: () => ({ value: 1 }) } };

  it.each<[string, object]>([
    ['codecs', { codecs: [codec, new Codec()] }],
    ['a logger', { logger: console }],
    ['replies to some queues', { rpc: { replyTo: ['billing.'] } }],
    ['replies to no more queues', { rpc: { replyTo: [] } }],
    ['replies to any queue', { rpc: { replyTo: 'any' } }],
    ['credentials', { credentials: { username: 'u', password: '' } }],
    ['a function for credentials', { credentials: () => ({ username: 'u', password: '' }) }],
    [
      'certificates',
      { tls: { ca: ['a', Buffer.from('b')], cert: 'c', key: Buffer.from('k'), pfx: undefined } },
    ],
    ['versions of TLS', { tls: { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.3', ciphers: 'HIGH' } }],
    ['no option of TLS', { tls: {} }],
  ])('takes %s', (_what, options) => {
    expect(() => checkOptions('x', options, BROKER_OPTIONS)).not.toThrow();
  });

  it.each<[object, string]>([
    [
      { codecs: [undefined] },
      "'codecs[0]' must be a codec, an object with name, contentTypes, encode, decode, but is missing",
    ],
    [
      { codecs: [Codec] },
      "'codecs[0]' must be a codec, an object with name, contentTypes, encode, decode, but is a function",
    ],
    [{ codecs: [codec, { ...codec, name: '' }] }, "'codecs[1].name' must be a non-empty string"],
    [
      { codecs: [{ ...codec, contentTypes: 'a/b' }] },
      "'codecs[0].contentTypes' must be an array of content types",
    ],
    [
      { codecs: [{ ...codec, contentTypes: ['a/B'] }] },
      "'codecs[0].contentTypes[0]' must be a content type in lower case",
    ],
    [
      { codecs: [{ ...codec, contentTypes: ['a/b; v=1'] }] },
      "'codecs[0].contentTypes[0]' must be a content type in lower case",
    ],
    [{ codecs: [{ ...codec, decode: undefined }] }, "'codecs[0].decode' must be a function, but is missing"],
    [{ logger: {} }, "'logger.log' must be a function, but is missing"],
    [{ propagate: [1] }, "'propagate[0]' must be a string of 1 to 255 bytes"],
    [{ propagate: [''] }, "'propagate[0]' must be a string of 1 to 255 bytes"],
    [{ rpc: { replyTo: [''] } }, "'rpc.replyTo[0]' must be a non-empty string"],
    [{ rpc: { replyTo: [/x/] } }, "'rpc.replyTo[0]' must be a non-empty string"],
    [{ rpc: { replyTo: 'all' } }, "'rpc.replyTo' must be 'any', or an array of prefixes"],
    [{ credentials: {} }, "'credentials.username' must be a non-empty string, but is missing"],
    [
      { credentials: { user: 'u', pass: 'p' } },
      "there is no option 'credentials.user' (known: username, password)",
    ],
    [
      { credentials: { username: 'u', password: undefined } },
      "'credentials.password' must be a string, but is missing",
    ],
    [
      { tls: { rejectUnauthorised: false } },
      "there is no option 'tls.rejectUnauthorised' (did you mean rejectUnauthorized?",
    ],
    [{ tls: { rejectUnauthorized: 'false' } }, "'tls.rejectUnauthorized' must be true or false"],
    [{ tls: { minVersion: 'TLSv1' } }, "'tls.minVersion' must be"],
    [{ tls: { ca: [5] } }, "'tls.ca[0]' must be a string or a Buffer"],
  ])('refuses %j', (options, message) => {
    expect(() => checkOptions('x', options, BROKER_OPTIONS)).toThrow(ConfigError);
    expect(() => checkOptions('x', options, BROKER_OPTIONS)).toThrow(`x: ${message}`);
  });

  it.each([validating, Object.assign(() => 1, validating)])('takes %p as a schema', (schema) => {
    expect(() => checkOptions('x', { schema, response: schema }, HANDLER_OPTIONS)).not.toThrow();
  });

  it.each([{}, () => 1, { '~standard': 1 }, { '~standard': {} }, { type: 'object' }, 'text'])(
    'takes no %p for a schema',
    (schema) => {
      for (const name of ['schema', 'response']) {
        expect(() => checkOptions('x', { [name]: schema }, HANDLER_OPTIONS)).toThrow(
          `x: '${name}' must be a Standard Schema (https://standardschema.dev), but is`,
        );
      }
    },
  );

  it('checks the codec and the reply store of a handler', () => {
    const refused = (options: object) => expect(() => checkOptions('x', options, HANDLER_OPTIONS));
    refused({ codec: {} }).toThrow("x: 'codec.name' must be a non-empty string, but is missing");
    refused({ idempotent: { ttl: 1, store: {} } }).toThrow("'idempotent.store.get' must be a function");
    refused({ codec, idempotent: { ttl: 1, store: new Map() } }).not.toThrow();
  });

  it('never shows a URL or a secret', () => {
    for (const options of [
      { credentials: { username: 'u', password: 53.0 } },
      { credentials: { username: ['s3cr3t'], password: 's3cr3t' } },
      { tls: { passphrase: 5300n } },
      { url: 5 },
      { service: { password: 's3cr3t' } },
      { exchange: ['amqp://u:s3cr3t@h'] },
      { startup: 'amqp://u:s3cr3t@h' },
      { publish: { buffer: { messages: 'amqp://u:s3cr3t@h' } } },
      { credentials: 's3cr3t' },
      { tls: 's3cr3t' },
    ]) {
      expect(() => checkOptions('x', options, BROKER_OPTIONS)).toThrow(ConfigError);
      expect(() => checkOptions('x', options, BROKER_OPTIONS)).toThrow(
        expect.not.stringMatching(/s3cr3t|53/),
      );
    }
  });
});
