import { describe, expect, it } from '@jest/globals';
import type { ChannelModel } from 'amqplib';
import { readAnyHeaders, withoutHeaders } from './amqplib-internals.js';

const short = (text: string): Buffer => Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
const table = (content: Buffer): Buffer => {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(content.length);
  return Buffer.concat([size, content]);
};

/** A header frame with content type, table and message id. */
function frame(content: Buffer): Buffer {
  const payload = Buffer.concat([
    Buffer.from([0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xa0, 0x80]),
    short('application/json'),
    table(content),
    short('my-id'),
  ]);
  return Buffer.concat([Buffer.from([2, 0, 1]), table(payload), Buffer.from([0xce])]);
}

describe('a header table that cannot be read', () => {
  it('is replaced by one that says why, and the other properties stay', () => {
    const fixed = withoutHeaders(
      Buffer.concat([frame(Buffer.alloc(1_000, 0xff)), Buffer.from('next')]),
      'too deep',
    ) as Buffer;
    expect(fixed.readUInt32BE(3)).toBe(fixed.length - 8);
    expect(fixed[fixed.length - 1]).toBe(0xce);
    const text = fixed.toString('latin1');
    for (const part of ['application/json', 'x-warren-unreadable-headers', 'too deep', 'my-id'])
      expect(text).toContain(part);
    expect(text).not.toContain('next');
  });

  it('is no reason to touch frames without one, or bytes that are no frame', () => {
    expect(withoutHeaders(Buffer.from([1, 0, 1, 0, 0, 0, 0, 0xce]), 'x')).toBeUndefined();
    const rest = Buffer.from('no frame');
    const connection = {
      rest,
      recvFrame: (): unknown => {
        throw new Error('Invalid frame');
      },
    };
    readAnyHeaders({ connection } as unknown as ChannelModel);
    expect(() => connection.recvFrame()).toThrow('Invalid frame');
    expect(connection.rest).toBe(rest);
  });
});
