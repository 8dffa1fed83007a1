// Compressed bodies. A sender chooses what a body unfolds to, so unfolding has a limit, and only one layer
// is ever taken off: a few kilobytes can hold gigabytes, and layers multiply.

import {
  brotliCompressSync,
  brotliDecompressSync,
  deflateSync,
  gunzipSync,
  gzipSync,
  inflateRawSync,
  inflateSync,
} from 'node:zlib';
import { DecodeError, EncodeError } from './errors.js';
import { printable } from './logger.js';

import type { PublishOptions } from './publish-options.js';

/** How a body can be compressed. */
type ContentEncoding = NonNullable<PublishOptions['contentEncoding']>;

interface Folding {
  readonly fold: (content: Buffer) => Buffer;
  readonly unfold: (content: Buffer, maxOutputLength: number) => Buffer;
}

const ENCODINGS: ReadonlyMap<string, Folding> = new Map<string, Folding>([
  [
    'gzip',
    { fold: gzipSync, unfold: (content, maxOutputLength) => gunzipSync(content, { maxOutputLength }) },
  ],
  ['deflate', { fold: deflateSync, unfold: inflate }],
  [
    'br',
    {
      fold: brotliCompressSync,
      unfold: (content, maxOutputLength) => brotliDecompressSync(content, { maxOutputLength }),
    },
  ],
]);

/** What some senders write although nothing is compressed: names of character sets, and of transfer encodings of mail. */
const PLAIN = /^(identity|utf-?8|us-ascii|binary|8bit|7bit)$/i;

/** A body under one encoding. @throws EncodeError when there is no such encoding */
export function compress(content: Buffer, encoding: ContentEncoding): Buffer {
  const found = ENCODINGS.get(encoding);
  if (!found) {
    throw new EncodeError(
      `contentEncoding must be ${[...ENCODINGS.keys()].join(', ')}, but is ${printable(encoding)}`,
      'for another one encode the body yourself and send a Buffer',
    );
  }
  return found.fold(content);
}

/**
 * The body as it was before its encoding.
 *
 * @param limit - bytes it may unfold to
 * @throws DecodeError when the encoding is unknown, not what the bytes are, or unfolds to more
 */
export function decompress(content: Buffer, encoding: string | undefined, limit: number): Buffer {
  const name = encoding?.trim();
  if (!name || PLAIN.test(name)) return content;
  const found = ENCODINGS.get(name.toLowerCase().replace(/^x-/, ''));
  if (!found) {
    throw new DecodeError(
      `the body is encoded as '${printable(encoding)}'`,
      'one of gzip, deflate and br can be read, once',
    );
  }
  try {
    return found.unfold(content, limit);
  } catch (error) {
    const tooLarge = (error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE';
    throw new DecodeError(
      tooLarge
        ? `the body unfolds to more than ${limit} bytes`
        : `the body is not what its content-encoding '${printable(encoding)}' says`,
      tooLarge ? 'see maxMessageBytes' : 'the sender must compress it, or leave the property out',
      [],
      error,
    );
  }
}

// Half of the world takes `deflate` for the bare stream, without the zlib frame that the standard asks for.
function inflate(content: Buffer, maxOutputLength: number): Buffer {
  const framed = content.length >= 2 && (content[0] & 0x0f) === 8 && content.readUInt16BE(0) % 31 === 0;
  return framed ? inflateSync(content, { maxOutputLength }) : inflateRawSync(content, { maxOutputLength });
}
