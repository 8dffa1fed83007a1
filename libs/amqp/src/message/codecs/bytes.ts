// Bytes as they are, for Buffers and typed arrays.

import { EncodeError } from '../../errors/errors.js';
import type { Codec } from './codec.js';

/** `application/octet-stream`: Buffer in, Buffer out. */
export const bytes: Codec = {
  name: 'bytes',
  contentTypes: ['application/octet-stream'],
  encode(payload) {
    if (!(payload instanceof Uint8Array)) {
      throw new EncodeError(
        `cannot send a value of type ${typeof payload} as bytes`,
        'send a Buffer, or set another contentType',
      );
    }
    return { content: toBuffer(payload), contentType: 'application/octet-stream' };
  },
  // A view of a small part would keep all that the socket read with it, for as long as the payload is kept.
  decode: (content) => (content.length * 2 < content.buffer.byteLength ? Buffer.from(content) : content),
};

/** The same memory as a Buffer. */
export function toBuffer(payload: Uint8Array): Buffer {
  return Buffer.isBuffer(payload)
    ? payload
    : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
}
