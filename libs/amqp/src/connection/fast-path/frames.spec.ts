import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { Body, MessageProperties } from '../../message/message.js';
import { outgoing, newMessageId } from '../../message/outgoing.js';
import { readDeliver, readProperties, readTable } from './frame-reader.js';
import { WriteBuffer, writePublish } from './frame-writer.js';

/** The client library's own codec, to be compared with. */
const require = createRequire(import.meta.url);
const defs = require(join(dirname(require.resolve('amqplib')), 'lib', 'defs.js')) as {
  BasicPublish: number;
  BasicProperties: number;
  encodeMethod(method: number, channel: number, fields: object): Buffer;
  encodeProperties(kind: number, channel: number, size: number, fields: object): Buffer;
  decode(id: number, bytes: Buffer): Record<string, unknown>;
};

/** A small generator with a seed, so that a failure can be repeated. */
function random(seed: number): () => number {
  return () => {
    seed = (seed * 1_664_525 + 1_013_904_223) >>> 0;
    return seed / 2 ** 32;
  };
}

function written(properties: MessageProperties, content: Body = Buffer.alloc(0), replyTo?: string): Buffer {
  return writtenOneAfterTheOther((to) => {
    const message = { exchange: 'größe', routingKey: 'a.b', content, mandatory: true, properties };
    writePublish(to, 7, message, replyTo, 4_096);
  });
}

function writtenOneAfterTheOther(write: (to: WriteBuffer) => void): Buffer {
  const pieces: Buffer[] = [];
  const stream = {
    ...{ destroyed: false, writable: true, writableLength: 0, on: () => undefined },
    ...{ cork: () => undefined, uncork: () => undefined, write: (piece: Buffer) => pieces.push(piece) > 0 },
  };
  let woken = 0;
  const writeBuffer = new WriteBuffer(
    { stream } as never,
    () => woken++,
    () => undefined,
  );
  write(writeBuffer);
  expect(woken).toBe(1);
  writeBuffer.flush();
  return Buffer.concat(pieces);
}

function byLibrary(properties: MessageProperties, size = 0, replyTo?: string): Buffer {
  const method = { ticket: 0, exchange: 'größe', routingKey: 'a.b', mandatory: true, immediate: false };
  const all = { ...properties, headers: properties.headers ?? {}, ...(replyTo ? { replyTo } : {}) };
  return Buffer.concat([
    defs.encodeMethod(defs.BasicPublish, 7, method),
    defs.encodeProperties(defs.BasicProperties, 7, size, all),
  ]);
}

const VALUES: readonly unknown[] = [
  ...['', 'text', 'ü€😀', 'x'.repeat(300), true, false, null, undefined],
  ...[0, 1, -1, 127, 128, -128, -129, 32_767, 32_768, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), 2 ** 40, 2 ** 53],
  ...[1.5, -0.25, 2 ** 63, Number.MAX_VALUE],
  ...[Buffer.from('bytes'), [], [1, 'a', [true, null]], {}, { a: { b: { c: [{ d: 1 }] } } }],
  ...[
    { '!': 'timestamp', value: 1_700_000_000 },
    { '!': 'double', value: 3 },
  ],
  ...[
    { '!': 'decimal', value: { places: 2, digits: 314 } },
    { '!': 'float', value: 0.5 },
    { '!': 'uint8', value: 200 },
    { '!': 'int64', value: 5 },
    { '!': 'unsignedint', value: 4e9 },
    { '!': 'string', value: 'named' },
  ],
];

describe('frames of our own', () => {
  it('of a plain message have no more than the 64 bytes of properties that cost RabbitMQ little', () => {
    const to = { exchange: '', routingKey: 'q', persistent: true, mandatory: true, maxBytes: 9 };
    const body = { content: Buffer.from('1'), contentType: 'application/json' };
    const plain = outgoing({ ...to, timestamp: Date.now(), appId: 'elevenchars' }, body, {});
    const bytes = written({ ...plain.properties, messageId: `${newMessageId().slice(0, 12)}zzzzzzz` });
    const header = bytes.readUInt32BE(3) + 8;
    const classAndSize = 12;
    expect(bytes.readUInt32BE(header + 3) - classAndSize).toBeLessThanOrEqual(64);
  });

  it('say where each message goes, whatever went before it', () => {
    const next = random(7);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)];
    const all = Array.from({ length: 300 }, () => ({
      ...{ channel: pick([1, 2]), exchange: pick(['', 'e']), routingKey: pick(['q', 'r']) },
      ...{ mandatory: pick([true, false]), times: pick([1, 2, 3]) },
    }));
    const each = all.flatMap((one) => Array.from({ length: one.times }, () => one));
    const bytes = writtenOneAfterTheOther((to) => {
      for (const { channel, ...rest } of each) {
        writePublish(to, channel, { ...rest, content: '1', properties: {} }, undefined, 4_096);
      }
    });
    const wanted = each.map(({ channel, exchange, routingKey, mandatory }) =>
      Buffer.concat([
        defs.encodeMethod(defs.BasicPublish, channel, {
          ...{ ticket: 0, exchange, routingKey, mandatory, immediate: false },
        }),
        defs.encodeProperties(defs.BasicProperties, channel, 1, { headers: {} }),
        Buffer.from([3, 0, channel, 0, 0, 0, 1, '1'.charCodeAt(0), 0xce]),
      ]),
    );
    expect(bytes.equals(Buffer.concat(wanted))).toBe(true);
  });

  it.each(['a', 'ü', '€', '😀', 'a€', '\ud800'])('of a text of %j are those of its bytes', (piece) => {
    const text = piece.repeat(4_096);
    // Around the frame size of 4096, and around the length up to which nobody counts the bytes of a text.
    const lengths = [0, 1, 300, 1_023, 1_024, 1_025, 1_026, 1_362, 1_363, 2_044, 4_087, 4_088, 4_089, 4_096];
    for (const length of lengths) {
      const body = text.slice(0, length);
      expect(written({}, body).equals(written({}, Buffer.from(body)))).toBe(true);
    }
  });

  it('are what the client library writes, byte for byte, for any headers and properties', () => {
    const next = random(4711);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)];
    for (let round = 0; round < 500; round++) {
      const headers = Object.fromEntries(
        Array.from({ length: Math.floor(next() * 8) }, (_, n) => [
          `${pick(['h', 'ö', 'x-y'])}${n}`,
          pick(VALUES),
        ]),
      );
      const maybe = <T>(value: T): T | undefined => (next() < 0.5 ? value : undefined);
      const properties: MessageProperties = {
        contentType: maybe('application/json'),
        contentEncoding: maybe('gzip'),
        headers: maybe(headers),
        deliveryMode: maybe(2),
        priority: maybe(255),
        correlationId: maybe('ü'.repeat(100)),
        replyTo: maybe('amq.rabbitmq.reply-to'),
        expiration: maybe('60000'),
        messageId: maybe('0'.repeat(255)),
        timestamp: maybe(pick([0, 1_700_000_000, 2 ** 40, 2 ** 60])),
        type: maybe(''),
        userId: maybe('guest'),
        appId: maybe('billing'),
      };
      const replyTo = maybe('replies');
      expect(written(properties, Buffer.alloc(0), replyTo)).toEqual(byLibrary(properties, 0, replyTo));
      const bytes = byLibrary(properties);
      const at = bytes.readUInt32BE(3) + 8 + 7;
      const library = defs.decode(60, bytes.subarray(at + 12, bytes.length - 1));
      expect(readProperties(bytes, at + 12, bytes.length - 1)).toEqual(library);
    }
  });

  it('cut large bodies into frames that the broker takes, and copy small ones', () => {
    for (const size of [1, 100, 4_088, 4_089, 8_191, 8_192, 20_000]) {
      const content = Buffer.from(Array.from({ length: size }, (_, n) => n & 0xff));
      const bytes = written({}, content);
      let at = byLibrary({}, size).length;
      expect(bytes.subarray(0, at)).toEqual(byLibrary({}, size));
      const parts: Buffer[] = [];
      while (at < bytes.length) {
        const length = bytes.readUInt32BE(at + 3);
        expect([bytes[at], bytes.readUInt16BE(at + 1), length <= 4_088]).toEqual([3, 7, true]);
        parts.push(bytes.subarray(at + 7, at + 7 + length));
        expect(bytes[at + 7 + length]).toBe(0xce);
        at += length + 8;
      }
      expect(Buffer.concat(parts).equals(content)).toBe(true);
    }
  });

  it('that cannot be written leave nothing behind', () => {
    const pieces: Buffer[] = [];
    const stream = {
      on: () => undefined,
      destroyed: false,
      writable: true,
      write: (p: Buffer) => pieces.push(p),
    };
    const nothing = (): undefined => undefined;
    const writeBuffer = new WriteBuffer({ stream } as never, nothing, nothing);
    const message = (properties: MessageProperties, content: unknown = Buffer.from('x')) => ({
      ...{ exchange: '', routingKey: 'q', content: content as Buffer, mandatory: false, properties },
    });
    for (const bad of [
      { messageId: 'x'.repeat(256) },
      { type: 'ü'.repeat(128) },
      { headers: { ['k'.repeat(300)]: 1 } },
      { headers: { a: { '!': 'nonsense', value: 1 } } },
      { headers: { a: Symbol('a') } },
      { timestamp: -1 },
      { timestamp: NaN },
      { priority: 256 },
    ] as MessageProperties[]) {
      expect(() => writePublish(writeBuffer, 1, message(bad), undefined, 131_072)).toThrow();
      expect(writeBuffer.at).toBe(0);
    }
    for (const body of [new Uint8Array(2), new Uint8Array(20_000), [1], null, Promise.resolve()]) {
      expect(() => writePublish(writeBuffer, 1, message({}, body), undefined, 131_072)).toThrow(TypeError);
      expect(writeBuffer.at).toBe(0);
    }
    // RabbitMQ closes the connection for a larger frame.
    const { length } = written({ headers: { big: '' } });
    const fitting = (rest: number) => ({ headers: { big: 'x'.repeat(4_096 - length + rest) } });
    const method = written({}).readUInt32BE(3) + 8;
    expect(written(fitting(method)).readUInt32BE(method + 3)).toBe(4_096 - 8);
    for (const large of [fitting(method + 1), { headers: { big: 'x'.repeat(50_000) } }]) {
      expect(() => writePublish(writeBuffer, 1, message(large), undefined, 4_096)).toThrow(/4096/);
      expect(writeBuffer.at).toBe(0);
    }
    writeBuffer.flush();
    expect(pieces).toEqual([]);
  });

  it('read tables that are broken or too deep as an error, never beyond their end', () => {
    const deep = Buffer.from(`\u0001aF\0\0\0\0`.repeat(1_000), 'latin1');
    for (let at = 0; at < deep.length; at += 7) deep.writeUInt32BE(deep.length - at - 7, at + 3);
    const broken = [
      deep,
      Buffer.from('\u0001aS\0\0\u0001\0text', 'latin1'),
      Buffer.from('\u0001a?', 'latin1'),
      Buffer.from('\u0001aA\0\0\0\u0009', 'latin1'),
      Buffer.from('\u0001al\0\0', 'latin1'),
    ];
    for (const bytes of broken) expect(() => readTable(bytes, 0, bytes.length)).toThrow();
    // What follows in the same piece belongs to the next frame.
    const next = Buffer.from('\u0001aS\0\0\0\u0001\u0001');
    const short = ['\u0001at', '\u0001al\0\0', '\u0001ad\0', '\u0001aD\0\0', '\u0004a', '\u0001a'];
    for (const text of short) {
      const bytes = Buffer.concat([Buffer.from(text, 'latin1'), next]);
      expect(() => readTable(bytes, 0, text.length)).toThrow(RangeError);
    }
    const head = Buffer.from([0x20, 0, 0, 0, 0, 3]);
    const properties = readProperties(Buffer.concat([head, broken[2]]), 0, 9);
    expect(Object.keys(properties.headers ?? {})).toEqual(['x-warren-unreadable-headers']);
  });

  it('read what a delivery says', () => {
    const fields = {
      consumerTag: 'c',
      deliveryTag: 2 ** 33 + 5,
      redelivered: true,
      exchange: 'e',
      routingKey: 'ü',
    };
    const deliver = defs.encodeMethod(60 * 0x10000 + 60, 1, fields);
    const { consumerTag: _tag, ...rest } = fields;
    expect(readDeliver(deliver, 11)).toEqual(rest);
  });
});
