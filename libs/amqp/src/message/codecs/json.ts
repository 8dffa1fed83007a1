// JSON, the default for everything that is neither text nor bytes. `undefined` is an empty body, so that
// a handler that returns nothing, and `null`, stay two different answers.

import { EncodeError } from '../../errors/errors.js';
import type { Codec } from './codec.js';
import { isUtf8 } from 'node:buffer';
import { describeError } from '../../runtime/logger.js';

// Plain text: strings travel as they are, so that any other program prints what was sent.

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

// Bytes as they are, for Buffers and typed arrays.

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

const EMPTY = Buffer.alloc(0);

/** Deeper bodies are refused: recursive code that meets them later (validation, cloning) would overflow the stack. */
const MAX_DEPTH = 100;

/** `application/json` and `application/*+json`. */
export const json: Codec = {
  name: 'json',
  contentTypes: ['application/json'],
  readsJson: true,
  encode(payload) {
    if (payload === undefined) return { content: EMPTY, contentType: 'application/json' };
    let text: string | undefined;
    try {
      text = JSON.stringify(payload);
    } catch (error) {
      throw new EncodeError(
        `the payload cannot be written as JSON: ${describeError(error).split('\n')[0]}`,
        'send plain data, or set a codec',
        error,
      );
    }
    if (text === undefined) {
      throw new EncodeError(
        `cannot encode a value of type ${typeof payload} as JSON`,
        'send an object, an array, a string, a number, a boolean, null or a Buffer',
      );
    }
    return { content: Buffer.from(text), contentType: 'application/json' };
  },
  decode(content) {
    if (content.length === 0) return undefined;
    // Otherwise broken bytes would turn into question marks in silence.
    if (!isUtf8(content)) throw new TypeError('the body is not UTF-8');
    // Some senders put a byte order mark in front, and the standard lets a reader pass over it.
    const marked = content.length > 3 && content.readUIntBE(0, 3) === 0xefbbbf;
    return parseJson(content.toString('utf8', marked ? 3 : 0));
  },
};

/** JSON.parse that refuses what is nested deeper than 100 levels. Throws SyntaxError or RangeError. */
export function parseJson(text: string): unknown {
  // What is as deep as that is longer.
  if (text.length > MAX_DEPTH && isTooDeep(text))
    throw new RangeError(`nested deeper than ${MAX_DEPTH} levels`);
  return JSON.parse(text);
}

/** Whether a body has more opening brackets than that, those inside of texts too. */
export function holdsMoreThan(limit: number, content: Buffer): boolean {
  // Each container takes two bytes at least.
  if (content.length <= 2 * limit) return false;
  let found = 0;
  for (const bracket of [0x5b, 0x7b]) {
    let at = content.indexOf(bracket);
    for (; at >= 0 && found <= limit; at = content.indexOf(bracket, at + 1)) found++;
  }
  return found > limit;
}

// Most bodies have few brackets, and finding those costs next to nothing.
function isTooDeep(text: string): boolean {
  let found = 0;
  for (const bracket of ['{', '[']) {
    let at = text.indexOf(bracket);
    for (; at >= 0 && found <= MAX_DEPTH; at = text.indexOf(bracket, at + 1)) found++;
  }
  return found > MAX_DEPTH && depthOf(text) > MAX_DEPTH;
}

/** Counts brackets outside of strings; stops beyond the limit. */
function depthOf(text: string): number {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length && depth <= MAX_DEPTH; i++) {
    const code = text.charCodeAt(i);
    if (inString) {
      if (code === 0x5c) i++;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) {
      inString = true;
    } else if (code === 0x5b || code === 0x7b) {
      depth++;
    } else if (code === 0x5d || code === 0x7d) {
      depth--;
    }
  }
  return depth;
}
