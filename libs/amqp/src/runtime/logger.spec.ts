import { describe, expect, it } from '@jest/globals';
import { ConfigError } from '../errors/errors.js';
import { describeError, printable, visible } from './logger.js';

/** What a terminal or a log viewer obeys, or does not show. */
const UNSEEN: readonly (readonly [name: string, code: number])[] = [
  ['nul', 0],
  ['line feed', 0x0a],
  ['carriage return', 0x0d],
  ['escape', 0x1b],
  ['delete', 0x7f],
  ['control sequence introducer', 0x9b],
  ['soft hyphen', 0xad],
  ['Arabic letter mark', 0x61c],
  ['Mongolian vowel separator', 0x180e],
  ['zero width space', 0x200b],
  ['right-to-left mark', 0x200f],
  ['line separator', 0x2028],
  ['right-to-left override', 0x202e],
  ['word joiner', 0x2060],
  ['first strong isolate', 0x2068],
  ['Hangul filler', 0x3164],
  ['lone surrogate', 0xd800],
  ['private use', 0xe000],
  ['byte order mark', 0xfeff],
  ['tag', 0xe0041],
];

describe('text from the wire', () => {
  it.each(UNSEEN)('shows a %s as its number', (_, code) => {
    const shown = visible(`a${String.fromCodePoint(code)}b`);
    expect(shown).toMatch(/^a\\(x[0-9a-f]{2}|u\{[0-9a-f]+\})b$/);
    expect(shown).toContain(code.toString(16));
  });

  it('leaves letters, signs, emoji and text that runs from right to left as they are', () => {
    for (const text of ['order.created', 'ä ß é', '日本語', 'שלום', '😀', 'a\\n'])
      expect(visible(text)).toBe(text);
  });

  it('is cut where the reader is told so, never inside what is made visible', () => {
    expect(printable('\n'.repeat(2_000), 100)).toHaveLength(100);
    expect(printable('x'.repeat(100), 100)).toBe('x'.repeat(100));
    expect(printable('x'.repeat(101), 100)).toBe(`${'x'.repeat(99)}…`);
  });
});

describe('an error in one line', () => {
  it('is cut before its hint, which says what to do', () => {
    const hint = `use declare: 'check' to take it as it is, or ${'x'.repeat(100)}`;
    const line = printable(describeError(new ConfigError('q'.repeat(5_000), hint)));
    expect(line).toContain('ConfigError: qqq');
    expect(line).toMatch(new RegExp(`… \\(use declare: 'check' .*x{100}\\)$`));
  });

  it('is whole when it fits', () => {
    expect(describeError(new ConfigError('short', 'do this'))).toBe('ConfigError: short (do this)');
    expect(describeError(new Error('plain'))).toBe('Error: plain');
  });
});
