import { describe, expect, it } from '@jest/globals';
import { type Frame, FRAME_END, FrameReader, PROTOCOL_HEADER, type FrameOutcome } from './frames.js';

function frame(type: number, channel: number, payload: string): Buffer {
  const bytes = Buffer.alloc(8 + payload.length);
  bytes[0] = type;
  bytes.writeUInt16BE(channel, 1);
  bytes.writeUInt32BE(payload.length, 3);
  bytes.write(payload, 7, 'latin1');
  bytes[7 + payload.length] = FRAME_END;
  return bytes;
}

function reader(answer: (frame: Frame) => FrameOutcome = () => 'next'): {
  reader: FrameReader;
  seen: string[];
} {
  const seen: string[] = [];
  const take = (one: Frame): FrameOutcome => {
    seen.push(`${one.type}/${one.channel}/${one.payload.toString('latin1')}`);
    return answer(one);
  };
  return { reader: new FrameReader(4096, take, (header) => header.equals(PROTOCOL_HEADER)), seen };
}

const stream = Buffer.concat([
  PROTOCOL_HEADER,
  frame(1, 0, 'first'),
  frame(8, 0, ''),
  frame(3, 5, 'x'.repeat(3000)),
  frame(1, 65_535, 'last'),
]);
const expected = ['1/0/first', '8/0/', `3/5/${'x'.repeat(3000)}`, '1/65535/last'];

describe('The frame reader', () => {
  it.each([1, 2, 7, 8, 9, 100, 5000])('finds the same frames in pieces of %d bytes', (size) => {
    const { reader: frames, seen } = reader();
    for (let at = 0; at < stream.length; at += size) frames.push(stream.subarray(at, at + size));
    expect(seen).toEqual(expected);
    expect(frames.waiting).toBe(0);
  });

  it('refuses a frame larger than agreed with 501 as soon as it announces its size', () => {
    const { reader: frames } = reader();
    frames.push(PROTOCOL_HEADER);
    expect(() => frames.push(frame(3, 1, 'x'.repeat(4089)).subarray(0, 8))).toThrow('FRAME_ERROR');
  });

  it('refuses a frame that does not end where it should with 501', () => {
    const { reader: frames } = reader();
    const broken = frame(1, 0, 'abc');
    broken[broken.length - 1] = 0;
    expect(() => frames.push(Buffer.concat([PROTOCOL_HEADER, broken]))).toThrow('FRAME_ERROR');
  });

  it('hears nothing more when the greeting is refused', () => {
    const { reader: frames, seen } = reader();
    frames.push(Buffer.concat([Buffer.from('GET / HT'), frame(1, 0, 'first')]));
    expect(seen).toEqual([]);
  });

  it('brings a frame again that could not be taken yet, and what came behind it after it', () => {
    let open = false;
    const { reader: frames, seen } = reader(() => (open ? 'next' : 'again'));
    frames.push(stream);
    frames.push(Buffer.alloc(0));
    expect(seen).toEqual(['1/0/first', '1/0/first']);
    open = true;
    frames.push(Buffer.alloc(0));
    expect(seen.slice(2)).toEqual(expected);
  });
});
