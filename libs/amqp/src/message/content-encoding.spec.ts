// A sender chooses what a body unfolds to: both bounds hold, whichever is lower, at once and beside the event loop.
import { describe, expect, it } from '@jest/globals';
import { gzipSync } from 'node:zlib';
import { decompress, unfold } from './content-encoding.js';
import { DecodeError } from '../errors/errors.js';

const MIB = 1024 * 1024;
const zeros = (bytes: number): Buffer => gzipSync(Buffer.alloc(bytes));
const later = async (body: Buffer, limit: number): Promise<number> =>
  (await unfold(body, 'gzip', limit)).length;

describe('a compressed body', () => {
  it('unfolds to as many bytes as its limit says, and no more', async () => {
    expect(decompress(zeros(1_000), 'gzip', 1_000)).toHaveLength(1_000);
    expect(() => decompress(zeros(1_001), 'gzip', 1_000)).toThrow(DecodeError);
    expect(await later(zeros(300_000), 300_000)).toBe(300_000);
    await expect(later(zeros(300_001), 300_000)).rejects.toThrow(DecodeError);
  });

  it('of a few bytes unfolds to 1 MiB, or 200 times its size, however high the limit is', async () => {
    expect(await later(zeros(MIB), 100 * MIB)).toBe(MIB);
    const bomb = zeros(20 * MIB);
    expect(bomb.length * 200).toBeLessThan(20 * MIB);
    await expect(later(bomb, 100 * MIB)).rejects.toThrow(`more than ${bomb.length * 200} bytes`);
    expect(() => decompress(bomb, 'gzip', 100 * MIB)).toThrow(DecodeError);
  });
});
