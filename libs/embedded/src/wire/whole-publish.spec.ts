import { describe, expect, it } from '@jest/globals';
import { FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_METHOD } from './frames.js';
import { encodeMethod } from './method-codec.js';
import { ACK_FRAME, PublishCache, wholeAck, WholePublish } from './whole-publish.js';

const MAX_FRAME = 4096;

function frame(type: number, channel: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(7);
  head[0] = type;
  head.writeUInt16BE(channel, 1);
  head.writeUInt32BE(payload.length, 3);
  return Buffer.concat([head, payload, Buffer.from([FRAME_END])]);
}

const method = (exchange: string, routingKey: string): Buffer =>
  encodeMethod('basic.publish', { ticket: 0, exchange, routingKey, mandatory: true, immediate: false });

function header(size: number, classId = 60, properties = Buffer.alloc(2)): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt16BE(classId, 0);
  head.writeBigUInt64BE(BigInt(size), 4);
  return Buffer.concat([head, properties]);
}

interface Parts {
  readonly publish: Buffer;
  readonly head: Buffer;
  readonly body: Buffer;
}
const good: Parts = {
  publish: frame(FRAME_METHOD, 7, method('x', 'key')),
  head: frame(FRAME_HEADER, 7, header(4, 60, Buffer.from([0x10, 0, 2]))),
  body: frame(FRAME_BODY, 7, Buffer.from('body')),
};
const joined = ({ publish, head, body }: Parts): Buffer => Buffer.concat([publish, head, body]);

describe('A publish in one piece', () => {
  it('is found by its offsets, wherever it begins', () => {
    const before = Buffer.from('what came before');
    const bytes = Buffer.concat([before, joined(good), Buffer.from('what comes next')]);
    const found = new WholePublish();
    expect(found.find(bytes, before.length, MAX_FRAME)).toBe(true);
    expect(found.channel).toBe(7);
    expect([...bytes.subarray(found.propertiesAt, found.propertiesEnd)]).toEqual([0x10, 0, 2]);
    expect(bytes.toString('latin1', found.bodyAt, found.bodyEnd)).toBe('body');
    expect(bytes.toString('latin1', found.bodyEnd + 1)).toBe('what comes next');
    const { exchange, keys, mandatory } = new PublishCache().read(bytes, before.length + 7, found.methodEnd);
    expect([exchange, keys, mandatory]).toEqual(['x', ['key'], true]);
  });

  it('that is cut off anywhere is left to the frames', () => {
    const bytes = joined(good);
    const found = new WholePublish();
    for (let end = 0; end < bytes.length; end += 1)
      expect([end, found.find(bytes.subarray(0, end), 0, MAX_FRAME)]).toEqual([end, false]);
  });

  const broken = Buffer.from(good.body);
  broken[broken.length - 1] = 0;
  it.each<[string, Partial<Parts>]>([
    ['another method', { publish: frame(FRAME_METHOD, 7, encodeMethod('tx.select', {})) }],
    ['a header on another channel', { head: frame(FRAME_HEADER, 8, header(4)) }],
    ['a body on another channel', { body: frame(FRAME_BODY, 8, Buffer.from('body')) }],
    ['a header of another class', { head: frame(FRAME_HEADER, 7, header(4, 50)) }],
    ['a header that is too short', { head: frame(FRAME_HEADER, 7, header(4).subarray(0, 12)) }],
    ['no body', { head: frame(FRAME_HEADER, 7, header(0)), body: Buffer.alloc(0) }],
    ['more body to come', { head: frame(FRAME_HEADER, 7, header(5)) }],
    ['more body than was announced', { head: frame(FRAME_HEADER, 7, header(3)) }],
    ['a size beyond 32 bits', { head: frame(FRAME_HEADER, 7, header(2 ** 32 + 4)) }],
    ['a heartbeat between', { head: Buffer.concat([frame(8, 0, Buffer.alloc(0)), good.head]) }],
    ['no end of a frame', { body: broken }],
    [
      'a frame that is too large',
      {
        head: frame(FRAME_HEADER, 7, header(MAX_FRAME)),
        body: frame(FRAME_BODY, 7, Buffer.alloc(MAX_FRAME)),
      },
    ],
  ])('with %s is left to the frames', (_, changed) => {
    expect(new WholePublish().find(joined({ ...good, ...changed }), 0, MAX_FRAME)).toBe(false);
  });
});

describe('The cache of publishes', () => {
  it('gives those that are equal the same strings, and the others their own', () => {
    const cache = new PublishCache();
    const read = (payload: Buffer): object => cache.read(payload, 0, payload.length);
    const first = read(method('x', 'key'));
    expect(read(method('x', 'key'))).toBe(first);
    const keys = Array.from({ length: 5000 }, (_, n) => `key ${n}`);
    expect(keys.map((key) => (read(method('x', key)) as { routingKey: string }).routingKey)).toEqual(keys);
  });

  it('takes long ones as well, and keeps its strings when the bytes change', () => {
    const cache = new PublishCache();
    const long = method('x'.repeat(255), 'y'.repeat(255));
    expect(cache.read(long, 0, long.length).routingKey).toBe('y'.repeat(255));
    const reused = method('x', 'one');
    const one = cache.read(reused, 0, reused.length);
    method('x', 'two').copy(reused);
    expect(cache.read(reused, 0, reused.length).routingKey).toBe('two');
    method('x', 'one').copy(reused);
    expect(cache.read(reused, 0, reused.length)).toBe(one);
  });
});

describe('An ack in one piece', () => {
  const ack = frame(FRAME_METHOD, 3, encodeMethod('basic.ack', { deliveryTag: 2 ** 33 + 5, multiple: true }));

  it('is read, and anything else is left to the frames', () => {
    expect(ack).toHaveLength(ACK_FRAME);
    expect(wholeAck(Buffer.concat([Buffer.from('x'), ack]), 1)).toEqual({
      name: 'basic.ack',
      args: { deliveryTag: 2 ** 33 + 5, multiple: true },
    });
    for (let end = 0; end < ack.length; end += 1) expect(wholeAck(ack.subarray(0, end), 0)).toBeUndefined();
    const nack = { deliveryTag: 1, multiple: true, requeue: false };
    expect(wholeAck(frame(FRAME_METHOD, 3, encodeMethod('basic.nack', nack)), 0)).toBeUndefined();
  });
});
