// Plain text: strings travel as they are, so that any other program prints what was sent.

import { EncodeError } from '../../errors/errors.js';
import type { Codec } from './codec.js';

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** `text/*`, UTF-8. */
export const text: Codec = {
  name: 'text',
  contentTypes: ['text/*'],
  encode(payload) {
    if (typeof payload !== 'string') {
      throw new EncodeError(
        `cannot send a value of type ${typeof payload} as text`,
        'send a string, or set another contentType',
      );
    }
    return { content: Buffer.from(payload, 'utf8'), contentType: 'text/plain' };
  },
  decode: (content) => utf8(content),
};

/** The text of UTF-8 bytes. Throws TypeError when they are none. */
export function utf8(content: Buffer): string {
  return strict.decode(content);
}
