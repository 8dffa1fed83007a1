// Compressed bodies. A sender chooses what a body unfolds to, so unfolding has limits, and only one layer is ever taken
// off: a few bytes can hold gigabytes, and layers multiply. What a stranger sends is unfolded beside the event loop.

import { promisify } from 'node:util';
import {
  brotliCompressSync,
  brotliDecompress,
  brotliDecompressSync,
  deflateSync,
  gunzip,
  gunzipSync,
  gzipSync,
  inflate,
  inflateRaw,
  inflateRawSync,
  inflateSync,
} from 'node:zlib';
import { DecodeError, EncodeError } from '../errors/errors.js';
import { printable } from '../runtime/logger.js';
import type { MaybePromise } from '../runtime/maybe-promise.js';
import type { PublishOptions } from '../options/publish-options.js';

/** How a body can be compressed. */
type ContentEncoding = NonNullable<PublishOptions['contentEncoding']>;

interface Folding {
  readonly fold: (content: Buffer) => Buffer;
  readonly unfold: (content: Buffer, limit: Limit) => Buffer;
  readonly unfoldLater: (content: Buffer, limit: Limit) => Promise<Buffer>;
}

interface Limit {
  readonly maxOutputLength: number;
}

const gunzipLater = promisify<Buffer, Limit, Buffer>(gunzip);
const brotliLater = promisify<Buffer, Limit, Buffer>(brotliDecompress);
const inflateLater = promisify<Buffer, Limit, Buffer>(inflate);
const inflateRawLater = promisify<Buffer, Limit, Buffer>(inflateRaw);

const ENCODINGS: ReadonlyMap<string, Folding> = new Map<string, Folding>([
  ['gzip', { fold: gzipSync, unfold: gunzipSync, unfoldLater: gunzipLater }],
  [
    'deflate',
    {
      fold: deflateSync,
      unfold: (content, limit) => (isFramed(content) ? inflateSync : inflateRawSync)(content, limit),
      unfoldLater: (content, limit) => (isFramed(content) ? inflateLater : inflateRawLater)(content, limit),
    },
  ],
  ['br', { fold: brotliCompressSync, unfold: brotliDecompressSync, unfoldLater: brotliLater }],
]);

/** What some senders write although nothing is compressed: names of character sets, and of transfer encodings of mail. */
const PLAIN = /^(identity|utf-?8|us-ascii|binary|8bit|7bit)$/i;

/** A body under one encoding. @throws EncodeError when there is no such encoding */
export function compress(content: Buffer, encoding: ContentEncoding): Buffer {
  const found = ENCODINGS.get(encoding);
  if (!found) {
    throw new EncodeError(
      `contentEncoding must be ${[...ENCODINGS.keys()].join(', ')}, but is ${printable(encoding)}`,
      'for other encodings, encode the body yourself and send a Buffer',
    );
  }
  return found.fold(content);
}

/** What a short body may unfold to, and how many times its own size a longer one. Text compresses to a tenth or so. */
const [ANY_RATIO, RATIO] = [1024 * 1024, 200];

/** What unfolds to no more takes less time here than in another thread, and keeps its place in the order. */
const AT_ONCE = 64 * 1024;

/**
 * The body as it was before its encoding; a promise when there is much of it.
 *
 * @param limit - bytes it may unfold to
 * @throws DecodeError when the encoding is unknown, not what the bytes are, or unfolds to more
 */
export function unfold(content: Buffer, encoding: string | undefined, limit: number): MaybePromise<Buffer> {
  const found = folding(encoding);
  if (!found) return content;
  const maxOutputLength = limitFor(content, limit);
  try {
    return found.unfold(content, { maxOutputLength: Math.min(AT_ONCE, maxOutputLength) });
  } catch (error) {
    if (!isTooLarge(error) || maxOutputLength <= AT_ONCE) throw unfoldError(error, encoding, maxOutputLength);
  }
  return later(found, content, encoding, maxOutputLength);
}

async function later(
  found: Folding,
  content: Buffer,
  encoding: string | undefined,
  maxOutputLength: number,
): Promise<Buffer> {
  try {
    return await found.unfoldLater(content, { maxOutputLength });
  } catch (error) {
    throw unfoldError(error, encoding, maxOutputLength);
  }
}

/** The same at once, while nothing else runs. @throws DecodeError */
export function decompress(content: Buffer, encoding: string | undefined, limit: number): Buffer {
  const found = folding(encoding);
  if (!found) return content;
  const maxOutputLength = limitFor(content, limit);
  try {
    return found.unfold(content, { maxOutputLength });
  } catch (error) {
    throw unfoldError(error, encoding, maxOutputLength);
  }
}

/** How a body is encoded; undefined when it is not. @throws DecodeError */
function folding(encoding: string | undefined): Folding | undefined {
  if (!encoding) return undefined;
  const single = ENCODINGS.get(encoding);
  if (single) return single;
  // Spring AMQP puts its encoding before the character set: `gzip, UTF-8`, in older versions `gzip:UTF-8`.
  const names = encoding.split(/[,:]/).map((name) => name.trim());
  const folded = names.filter((name) => name !== '' && !PLAIN.test(name));
  if (folded.length === 0) return undefined;
  const found = folded.length === 1 && ENCODINGS.get(folded[0].toLowerCase().replace(/^x-/, ''));
  if (found) return found;
  throw new DecodeError(
    `the body is encoded as '${printable(encoding)}'`,
    'gzip, deflate and br are supported, applied once',
  );
}

/** What a body may come to: its own size, or what it may unfold to. */
export function sizeAtMost(content: Buffer, encoding: string | undefined, limit: number): number {
  if (!encoding) return content.length;
  try {
    return folding(encoding) ? Math.max(content.length, limitFor(content, limit)) : content.length;
  } catch {
    return content.length;
  }
}

function limitFor({ length }: Buffer, limit: number): number {
  return Math.min(limit, Math.max(ANY_RATIO, RATIO * length));
}

function unfoldError(error: unknown, encoding: string | undefined, limit: number): DecodeError {
  const tooLarge = isTooLarge(error);
  return new DecodeError(
    tooLarge
      ? `the body decompresses to more than ${limit} bytes`
      : `the body does not match its content-encoding '${printable(encoding)}'`,
    tooLarge
      ? 'send a smaller body, or raise maxUnfoldedBytes'
      : 'the sender must compress it, or omit the property',
    [],
    error,
  );
}

function isTooLarge(error: unknown): boolean {
  return (error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE';
}

// Half of the world takes `deflate` for the bare stream, without the zlib frame that the standard asks for.
function isFramed(content: Buffer): boolean {
  return content.length >= 2 && (content[0] & 0x0f) === 8 && content.readUInt16BE(0) % 31 === 0;
}
