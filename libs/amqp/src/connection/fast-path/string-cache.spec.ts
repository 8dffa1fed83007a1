import { describe, expect, it } from '@jest/globals';
import { cachedString } from './frame-reader.js';

const read = (text: string | Buffer): string => {
  const short = Buffer.from(text as string);
  return cachedString(
    Buffer.concat([Buffer.from('before'), Buffer.from([short.length]), short, Buffer.from('after')]),
    6,
  );
};

describe('cachedString', () => {
  it('is what the bytes say, the first time and after others, of any length', () => {
    for (const length of [0, 1, 2, 127, 128, 129, 255]) {
      const text = 'x'.repeat(length);
      expect([read(text), read(text), read(`${text}y`.slice(1)), read(text)]).toEqual([
        text,
        text,
        `${text}y`.slice(1),
        text,
      ]);
    }
  });

  it('tells texts apart that differ in one byte anywhere, in whatever order they come', () => {
    const texts = Array.from({ length: 60 }, (_, at) => `${'a'.repeat(at)}b${'a'.repeat(59 - at)}`);
    for (let round = 0; round < 3; round++) for (const text of texts) expect(read(text)).toBe(text);
  });

  it('decodes as Buffer does: several bytes a character, and bytes that are no text', () => {
    const odd = Buffer.from([0xff, 0xc3, 0x28]);
    for (let round = 0; round < 2; round++) {
      expect(read('grüße €')).toBe('grüße €');
      expect(read(odd)).toBe(odd.toString());
    }
  });

  it('ends with the bytes when the length says more', () => {
    const bytes = Buffer.from('a\u0009bc');
    expect(cachedString(bytes, 1)).toBe('bc');
    expect(cachedString(bytes, 1)).toBe('bc');
  });
});
