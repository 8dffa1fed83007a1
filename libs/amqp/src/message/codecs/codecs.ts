// The codecs of every broker, JSON, text and bytes, and the choice among them and the application's own: by the content
// type of a message, or, where a foreign sender gave none, by trying.

import { isUtf8 } from 'node:buffer';
import { EncodeError, DecodeError } from '../../errors/errors.js';
import { DECODE_LIMITS } from '../../options/settings.js';
import { describeError, printable } from '../../runtime/logger.js';
import { chain, type MaybePromise } from '../../runtime/maybe-promise.js';
import { decompress, unfold } from '../content-encoding.js';
import type { MessageProperties } from '../message.js';
import { checkName } from '../outgoing.js';
import type { Codec, CodecLookup, Encoded, EncodedBody, OutgoingFacts } from './codec.js';

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

/**
 * What a codec of an application gave, with its bytes as a Buffer.
 *
 * @throws EncodeError when it gave no bytes: what is sent after the wrong kind of body would be lost with the connection
 */
export function asBuffer(encoded: Encoded, { name }: Codec): Encoded {
  // It is refused here; that it fails later is no news.
  if (encoded instanceof Promise) encoded.catch(() => undefined);
  const content: unknown = (encoded as Partial<Encoded> | null | undefined)?.content;
  if (Buffer.isBuffer(content)) return encoded;
  if (content instanceof Uint8Array) return { ...encoded, content: toBuffer(content) };
  throw new EncodeError(`the codec ${name} returned no { content: Buffer }`, 'encode must not be async');
}

/** Longer texts, in characters, are turned into bytes at once: they would take much of the frames that are collected. */
const LONGEST_TEXT = 8 * 1024;

/** Deeper bodies are refused: recursive code that meets them later (validation, cloning) would overflow the stack. */
const MAX_DEPTH = 100;

/** The byte order mark. */
const MARK = 0xfeff;

// JSON, the default for everything that is neither text nor bytes. `undefined` is an empty body, so that a handler that
// returns nothing, and `null`, stay two different answers.

/** `application/json` and `application/*+json`. */
export const json: Codec = {
  name: 'json',
  contentTypes: ['application/json'],
  readsJson: true,
  encode: (payload) => ({ content: Buffer.from(jsonText(payload)), contentType: 'application/json' }),
  decode(content) {
    if (content.length === 0) return undefined;
    // Otherwise broken bytes would turn into question marks in silence.
    if (!isUtf8(content)) throw new TypeError('the body is not UTF-8');
    return parseJson(content.toString());
  },
};

function jsonText(payload: unknown): string {
  if (payload === undefined) return '';
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
  if (text !== undefined) return text;
  throw new EncodeError(
    `cannot encode a value of type ${typeof payload} as JSON`,
    'send an object, an array, a string, a number, a boolean, null or a Buffer',
  );
}

/** JSON.parse that refuses what is nested deeper than 100 levels. Throws SyntaxError or RangeError. */
export function parseJson(text: string): unknown {
  // What is as deep as that is longer.
  if (text.length > MAX_DEPTH && isTooDeep(text))
    throw new RangeError(`nested deeper than ${MAX_DEPTH} levels`);
  // Some senders put a byte order mark in front, and the standard lets a reader pass over it.
  return JSON.parse(text.charCodeAt(0) === MARK ? text.slice(1) : text);
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

/** What a body may come to before it is read. */
export interface DecodeLimits {
  /** Bytes that a compressed one may unfold to. */
  readonly maxUnfoldedBytes: number;
  /** Objects and arrays that JSON may hold. */
  readonly maxJsonContainers: number;
}

/** All codecs of a broker, the application's own first. */
export class CodecRegistry implements CodecLookup {
  private readonly own: () => readonly Codec[];
  private all: readonly Codec[] | undefined;
  private readonly byType = new Map<string, Codec | undefined>();
  /** Most messages have the content type of the one before. */
  private lastType: string | undefined;
  private lastCodec: Codec | undefined;

  /** `own` is asked when a content type is first looked up. */
  constructor(
    own: readonly Codec[] | (() => readonly Codec[]) = [],
    private readonly limits: DecodeLimits = DECODE_LIMITS,
  ) {
    this.own = typeof own === 'function' ? own : () => own;
  }

  private get codecs(): readonly Codec[] {
    this.all ??= [...this.own(), json, text, bytes];
    return this.all;
  }

  /**
   * A payload as a body: with `codec`, else by `contentType`, else text for strings, bytes for Buffers, JSON for the rest.
   * Bytes are copied: they may be sent later, or once more, and whoever gave them may write over them meanwhile.
   *
   * @throws EncodeError
   */
  encode(
    payload: unknown,
    contentType: string | undefined,
    codec: Codec | undefined,
    about: OutgoingFacts,
  ): EncodedBody {
    if (contentType !== undefined) checkName('contentType', contentType);
    // A Buffer under any content type is taken as encoded already.
    if (payload instanceof Uint8Array && !codec) {
      return { content: Buffer.from(payload), contentType: contentType ?? 'application/octet-stream' };
    }
    const natural = typeof payload === 'string' ? text : json;
    const chosen = codec ?? (contentType === undefined ? natural : this.forType(contentType));
    if (!chosen) {
      throw new EncodeError(
        `no codec can encode '${contentType}'`,
        'register one with the option codecs, or send a Buffer',
      );
    }
    const isText = chosen === text && typeof payload === 'string';
    if (isText || chosen === json) {
      const written = isText ? payload : jsonText(payload);
      const content = written.length > LONGEST_TEXT ? Buffer.from(written) : written;
      return { content, contentType: contentType ?? (isText ? 'text/plain' : 'application/json') };
    }
    let encoded: Encoded;
    try {
      encoded = chosen.encode(payload, about);
    } catch (error) {
      if (error instanceof EncodeError) throw error;
      const text = describeError(error);
      throw new EncodeError(`the codec ${chosen.name} refused the payload: ${text}`, '', error);
    }
    encoded = asBuffer(encoded, chosen);
    if (payload instanceof Uint8Array && encoded.content.buffer === payload.buffer) {
      encoded = { ...encoded, content: Buffer.from(encoded.content) };
    }
    return contentType === undefined ? encoded : { ...encoded, contentType };
  }

  /**
   * The payload of a body: with `codec`, else by its content type, else JSON, text, bytes, whichever fits first.
   *
   * @throws DecodeError
   */
  decode(body: Buffer, properties: MessageProperties, codec?: Codec): unknown {
    return this.read(
      properties.contentEncoding ? this.decompress(body, properties) : body,
      properties,
      codec,
    );
  }

  /** The same, beside the event loop where that takes long. @throws DecodeError */
  decodeSoon(body: Buffer, properties: MessageProperties, codec?: Codec): MaybePromise<unknown> {
    // Most bodies are not compressed, and need no function to be made.
    if (!properties.contentEncoding) return this.read(body, properties, codec);
    return chain(unfold(body, properties.contentEncoding, this.limits.maxUnfoldedBytes), (content) =>
      this.read(content, properties, codec),
    );
  }

  private read(content: Buffer, properties: MessageProperties, codec?: Codec): unknown {
    const { contentType } = properties;
    if (!codec && !contentType) {
      if (holdsMoreThan(this.limits.maxJsonContainers, content)) throw this.tooMany();
      return guess(content);
    }
    const chosen = codec ?? this.forType(contentType as string);
    if (!chosen) {
      throw new DecodeError(
        `no codec can decode '${printable(contentType)}'`,
        'register one with the option codecs, or give the handler codec: bytes',
      );
    }
    if (chosen.readsJson && holdsMoreThan(this.limits.maxJsonContainers, content)) throw this.tooMany();
    try {
      return chosen.decode(content, properties);
    } catch (error) {
      if (error instanceof DecodeError) throw error;
      throw new DecodeError(
        `the body (${content.length} bytes of '${printable(contentType ?? 'no content type')}') cannot be decoded as ${chosen.name}: ${printable(describeError(error))}`,
        "the sender's content type must match the body",
        [],
        error,
      );
    }
  }

  decompress(body: Buffer, { contentEncoding }: MessageProperties, codec?: Codec): Buffer {
    const content = decompress(body, contentEncoding, this.limits.maxUnfoldedBytes);
    if (codec?.readsJson && holdsMoreThan(this.limits.maxJsonContainers, content)) throw this.tooMany();
    return content;
  }

  // A body of brackets alone takes seconds to parse, and a hundred times its size in memory.
  private tooMany(): DecodeError {
    const { maxJsonContainers } = this.limits;
    return new DecodeError(
      `the JSON body has more than ${maxJsonContainers} objects and arrays`,
      'split it into several messages, or raise maxJsonContainers',
    );
  }

  private forType(contentType: string): Codec | undefined {
    if (contentType === this.lastType) return this.lastCodec;
    this.lastCodec = this.findType(contentType);
    this.lastType = contentType;
    return this.lastCodec;
  }

  private findType(contentType: string): Codec | undefined {
    const name = contentType.split(';', 1)[0].trim().toLowerCase();
    const known = this.byType.get(name);
    if (known || this.byType.has(name)) return known;
    const found =
      this.codecs.find((codec) => codec.contentTypes.some((type) => fits(type, name))) ??
      (name.endsWith('+json') ? json : undefined);
    // Senders choose content types, so what is remembered of them is bounded.
    if (this.byType.size < 1_000) this.byType.set(name, found);
    return found;
  }
}

function fits(type: string, name: string): boolean {
  return type.endsWith('*') ? name.startsWith(type.slice(0, -1)) : type === name;
}

function guess(content: Buffer): unknown {
  if (content.length === 0) return undefined;
  let decoded: string;
  try {
    decoded = utf8(content);
  } catch {
    return bytes.decode(content, {});
  }
  try {
    return parseJson(decoded);
  } catch {
    return decoded;
  }
}
