import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { DecodeError, EncodeError } from '../../errors/errors.js';
import type { Codec } from './codec.js';
import { nest } from './nest.js';
import { CodecRegistry } from './codecs.js';

const registry = new CodecRegistry();
const about = { exchange: 'e', routingKey: 'k', correlationId: 'c' };
const encode = (payload: unknown, type?: string) => registry.encode(payload, type, undefined, about);
const decode = (text: string | Buffer, contentType?: string, contentEncoding?: string) =>
  registry.decode(Buffer.from(text as string), { contentType, contentEncoding });

describe('encoding', () => {
  it('undefined and null stay two things', () => {
    expect(encode(undefined).content).toHaveLength(0);
    expect(encode(null).content.toString()).toBe('null');
    expect(decode('', 'application/json')).toBeUndefined();
    expect(decode('null', 'application/json')).toBeNull();
  });

  it.each<[string, unknown]>([
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
    ['a BigInt', 1n],
    ['a toJSON that gives what JSON cannot hold', { toJSON: () => [1n] }],
  ])('%s is refused', (_name, payload) => {
    expect(() => encode(payload)).toThrow(EncodeError);
  });

  it('a type that does not fit the payload is refused', () => {
    expect(() => encode({}, 'text/plain')).toThrow(/as text/);
    expect(() => encode({}, 'application/octet-stream')).toThrow(/as bytes/);
    expect(() => encode({}, 'image/png')).toThrow(/no codec can encode 'image\/png'/);
  });
});

describe('a codec of the application', () => {
  const withCodec = (encode: () => unknown) => {
    const odd = { name: 'odd', contentTypes: [], encode, decode: () => 1 } as unknown as Codec;
    return registry.encode({}, undefined, odd, about);
  };

  it('may give bytes of any kind', () => {
    const whole = new Uint8Array([0, 1, 2, 3]);
    const { content, contentType } = withCodec(() => ({ content: whole.subarray(1, 3), contentType: 'a/b' }));
    expect([Buffer.isBuffer(content), [...Buffer.from(content)], contentType]).toEqual([true, [1, 2], 'a/b']);
  });

  it.each<[string, () => unknown]>([
    ['a text', () => ({ content: 'text' })],
    ['no content', () => ({})],
    ['nothing', () => undefined],
    ['a list', () => ({ content: [1] })],
    ['a promise', () => Promise.resolve({ content: Buffer.from('x') })],
    ['a promise that fails', () => Promise.reject(new Error('late'))],
  ])('that gives %s is refused', (_name, give) => {
    expect(() => withCodec(give)).toThrow(EncodeError);
    expect(() => withCodec(give)).toThrow(/the codec odd returned no \{ content: Buffer \}/);
  });
});

describe('decoding', () => {
  it.each([
    ['Text/CSV; header=present', 'a,b', 'a,b'],
    ['application/problem+json', '{"a":1}', { a: 1 }],
    [undefined, '{"a":1}', { a: 1 }],
    [undefined, 'plain', 'plain'],
  ])('%s', (type, text, expected) => expect(decode(text, type)).toEqual(expected));

  it.each([
    ['application/json', '{'],
    ['application/json', Buffer.from([0x22, 0xff, 0x22])],
    ['text/plain', Buffer.from([0xff])],
    ['application/x-odd', 'x'],
    ['application/json', '['.repeat(300) + ']'.repeat(300)],
  ])('%s with what it cannot read throws DecodeError', (type, body) => {
    expect(() => decode(body, type)).toThrow(DecodeError);
  });

  it('brackets inside texts are no depth', () => {
    const text = JSON.stringify(['['.repeat(500), '\\"[' + '{'.repeat(500)]);
    expect(decode(text, 'application/json')).toEqual(JSON.parse(text));
  });

  it('one layer of gzip, deflate or br is taken off', () => {
    const text = '{"a":1}';
    expect(decode(gzipSync(text), 'application/json', 'gzip')).toEqual({ a: 1 });
    expect(decode(gzipSync(text), 'application/json', 'X-GZIP')).toEqual({ a: 1 });
    expect(decode(deflateSync(text), 'application/json', 'deflate')).toEqual({ a: 1 });
    expect(decode(deflateRawSync(text), 'application/json', 'deflate')).toEqual({ a: 1 });
    expect(decode(brotliCompressSync(text), 'application/json', 'br')).toEqual({ a: 1 });
    expect(decode('{}', 'application/json', 'UTF-8')).toEqual({});
    // Spring AMQP names the character set as well.
    expect(decode(gzipSync(text), 'application/json', 'gzip, UTF-8')).toEqual({ a: 1 });
    expect(decode(gzipSync(text), 'application/json', 'gzip:UTF-8')).toEqual({ a: 1 });
    expect(decode(deflateSync(text), 'application/json', 'utf-8 ,deflate')).toEqual({ a: 1 });
    expect(decode('{}', 'application/json', 'identity, UTF-8')).toEqual({});
  });

  it.each([
    ['gzip', '{}'],
    ['br', '{}'],
    ['deflate', '{}'],
    ['gzip, br', gzipSync('{}')],
    ['gzip, gzip', gzipSync(gzipSync('{}'))],
    ['gzip, UTF-8, gzip', gzipSync(gzipSync('{}'))],
    ['UTF-8, zstd', '{}'],
    ['gzip', gzipSync('{}').subarray(0, 10)],
    ['zstd', '{}'],
    ['gzip', gzipSync(Buffer.alloc(2_000, 0x31))],
  ])('%s that is not, is unknown, is double or unfolds beyond the limit is refused', (encoding, body) => {
    const small = new CodecRegistry([], { maxUnfoldedBytes: 1_000, maxJsonContainers: 100 });
    const properties = { contentType: 'application/json', contentEncoding: encoding };
    expect(() => small.decode(Buffer.from(body as string), properties)).toThrow(DecodeError);
  });

  it('small bytes do not keep what the socket read with them', () => {
    const chunk = Buffer.from(new ArrayBuffer(65_536));
    for (const type of ['application/octet-stream', undefined]) {
      const [small, large] = [chunk.subarray(10, 12).fill(0xff), chunk.subarray(0, 60_000).fill(0xff)];
      const kept = registry.decode(small, { contentType: type }) as Buffer;
      expect(kept).toEqual(small);
      expect(kept.buffer).not.toBe(chunk.buffer);
      expect(registry.decode(large, { contentType: type })).toBe(large);
    }
  });

  it('a byte order mark is passed over', () => {
    expect(decode('\uFEFF{"a":1}', 'application/json')).toEqual({ a: 1 });
    expect(decode('\uFEFF{"a":1}')).toEqual({ a: 1 });
    expect(decode('\uFEFF{"a":1}', 'application/problem+json')).toEqual({ a: 1 });
    expect(nest.decode(Buffer.from('\uFEFF{"pattern":"k","data":1}'), {})).toBe(1);
    // A text is what its sender wrote.
    expect(decode('\uFEFFtext')).toBe('\uFEFFtext');
    expect(() => decode('\uFEFF\uFEFF1', 'application/json')).toThrow(DecodeError);
  });

  it('remembers only so many content types of senders', () => {
    for (let n = 0; n < 5_000; n++) expect(() => decode('x', `odd/${n}`)).toThrow(DecodeError);
    expect((registry as unknown as { byType: Map<string, unknown> }).byType.size).toBeLessThanOrEqual(1_000);
  });
});

describe('nest', () => {
  it('wraps and unwraps', () => {
    const { content, contentType } = nest.encode({ a: 1 }, about);
    expect([JSON.parse(content.toString()), contentType]).toEqual([
      { pattern: 'k', data: { a: 1 }, id: 'c' },
      undefined,
    ]);
    expect(nest.decode(content, {})).toEqual({ a: 1 });
    expect(nest.decode(Buffer.from('{"data":1}'), {})).toEqual({ data: 1 });
    const read = (packet: unknown) => nest.decodeReply?.(Buffer.from(JSON.stringify(packet)), {});
    expect(read({ response: 0, isDisposed: true })).toEqual({ kind: 'value', value: 0, more: false });
    expect(read({ err: { message: 'm', status: 'error' } })).toMatchObject({
      kind: 'error',
      error: { name: 'RpcException', message: 'm' },
    });
    expect(read({ err: 'text' })).toEqual({
      kind: 'error',
      error: { name: 'RpcException', message: 'text' },
    });
    expect(read([1])).toEqual({ kind: 'value', value: [1] });
  });
});
