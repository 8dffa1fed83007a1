// Chooses the codec of a message: by its content type, or, where a foreign sender gave none, by trying.

import { bytes, holdsMoreThan, json, parseJson, text, utf8 } from './json.js';
import { decompress, unfold } from '../content-encoding.js';
import { DecodeError, EncodeError } from '../../errors/errors.js';
import type { Codec, CodecLookup, Encoded, OutgoingFacts } from './codec.js';
import type { MessageProperties } from '../message.js';
import { describeError, printable } from '../../runtime/logger.js';
import { DECODE_LIMITS } from '../../options/settings.js';
import { chain, type MaybePromise } from '../../runtime/maybe-promise.js';
import { checkName } from '../outgoing.js';

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
   * A payload as bytes: with `codec`, else by `contentType`, else text for strings, bytes for Buffers, JSON for the rest.
   * Bytes are copied: they may be sent later, or once more, and whoever gave them may write over them meanwhile.
   *
   * @throws EncodeError
   */
  encode(
    payload: unknown,
    contentType: string | undefined,
    codec: Codec | undefined,
    about: OutgoingFacts,
  ): Encoded {
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
    let encoded: Encoded;
    try {
      encoded = chosen.encode(payload, about);
    } catch (error) {
      if (error instanceof EncodeError) throw error;
      const text = describeError(error);
      throw new EncodeError(`the codec ${chosen.name} refused the payload: ${text}`, '', error);
    }
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
