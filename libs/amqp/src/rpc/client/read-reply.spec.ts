// Replies that are errors: what another program says ends in this one's log.
import { describe, expect, it } from '@jest/globals';
import { CodecRegistry } from '../../message/codecs/codecs.js';
import { errorClasses } from '../../errors/known-errors.js';
import { settings } from '../../options/settings.js';
import { readPart } from './call.js';

class OrderError extends Error {}
const known = errorClasses([OrderError], 'a test');
const codecs = new CodecRegistry([], settings({}));

function thrown(body: object): Error & Record<string, unknown> {
  const content = Buffer.from(JSON.stringify(body));
  const properties = { contentType: 'application/json', headers: { 'x-rpc-error': 1 } };
  try {
    readPart({ content, properties } as never, { codecs, codec: undefined, known, maxBytes: 1_000_000 });
  } catch (error) {
    return error as Error & Record<string, unknown>;
  }
  throw new Error('it was no error');
}

describe('the error in a reply', () => {
  const forged = 'gone\r\n[Nest] LOG \u001b[2Jall is well\u202e\u0007';

  it.each(['OrderError', 'Other\n'])('of class %j shows what a terminal would obey', (name) => {
    const error = thrown({ name, message: forged, code: 'E\nX' });
    // What loggers print.
    for (const text of [
      error.name,
      error.message,
      String(error),
      (error.stack ?? '').split('\n    at ')[0],
    ]) {
      expect(text).not.toMatch(/[\r\n\u001b\u0007\u202e]/);
    }
    expect(error.message).toContain('gone\\x0d\\x0a[Nest] LOG \\x1b[2Jall is well\\u{202e}\\x07');
  });

  it('cannot replace what its class does', () => {
    const data = { toString: 1, toJSON: 2, valueOf: 3, constructor: 4, left: 5 };
    const error = thrown({ name: 'OrderError', message: 'gone', data });
    expect(`${String(error)} ${Number.isNaN(Number(error))} ${JSON.stringify(error)}`).toBe(
      'OrderError: gone true {"left":5}',
    );
    const masked = thrown({ name: 'Unknown', message: 'gone', data });
    expect(String(masked)).toContain('Unknown: gone');
    expect(masked.data).toEqual(data);
  });
});
