// A codec turns payloads into bodies and back, chosen by content type. What a codec must do is said
// here; json, text and bytes are in ../codecs, and an application may bring its own.

import type { Body, MessageProperties } from '../message.js';
import type { MaybePromise } from '../../runtime/maybe-promise.js';

/** An encoded payload. A `Uint8Array` is taken for a Buffer; anything else is an EncodeError. */
export interface Encoded {
  readonly content: Buffer;
  readonly contentType?: string;
}

/** Error facts that travel to an RPC caller: never a stack. */
export interface RemoteErrorFacts {
  readonly name: string;
  readonly message: string;
  readonly code?: string | number;
  readonly data?: unknown;
}

/** What a reply turned out to be. */
export type DecodedReply =
  /** `more`: other values of the same answer follow. */
  | { readonly kind: 'value'; readonly value: unknown; readonly more?: boolean }
  /** The answer is complete, and this reply adds nothing to it. */
  | { readonly kind: 'end' }
  | { readonly kind: 'error'; readonly error: RemoteErrorFacts };

/** Turns payloads into bytes and back. Register more with the `codecs` option, or set one with a handler's `codec`. */
export interface Codec {
  /** Shown in logs and errors. */
  readonly name: string;
  /**
   * Content types it answers for, lower case, without parameters: `application/json`. A trailing `*` is a prefix. May be
   * empty for a codec that is only given by name.
   */
  readonly contentTypes: readonly string[];
  /** Its bodies are JSON: what has more objects and arrays than `maxJsonContainers` is refused before `decode`. */
  readonly readsJson?: boolean;
  /**
   * Payload to bytes, at once: it must not be async. Throw for what it cannot carry. The bytes may be sent later or once more, so do not write into them
   * afterwards; those of the payload itself are copied.
   */
  encode(payload: unknown, about: OutgoingFacts): Encoded;
  /** Bytes to payload. Throw for what it cannot read: the message is dead-lettered. */
  decode(content: Buffer, properties: MessageProperties): unknown;
  /** Whether a message is for the handler that has this codec, if its body decides and not only its key. Never throws. */
  accepts?(content: Buffer, properties: MessageProperties): boolean;
  /** What of a body makes it the same request when it comes twice, if not all of it. For `idempotent`. Never throws. */
  identity?(content: Buffer, properties: MessageProperties): Buffer;
  /** The body of a successful reply, if it differs from `encode`. `more`: it is one of several, and not the last. */
  encodeReply?(value: unknown, more?: boolean): Encoded;
  /** The body that ends an answer of several replies, if this wire streams in a form of its own. */
  encodeEnd?(): Encoded;
  /** The body of an error reply, if this wire has a form of its own. */
  encodeError?(error: RemoteErrorFacts): Encoded;
  /** Reads a reply, if this wire has a form of its own. */
  decodeReply?(content: Buffer, properties: MessageProperties): DecodedReply;
}

/** What a codec may want to know about the message it encodes. */
export interface OutgoingFacts {
  readonly exchange: string;
  readonly routingKey: string;
  readonly correlationId?: string;
}

/** An encoded payload, as it is sent. */
export interface EncodedBody {
  readonly content: Body;
  readonly contentType?: string | undefined;
}

/** Encodes and decodes with the right codec. */
export interface CodecLookup {
  encode(
    payload: unknown,
    contentType: string | undefined,
    codec: Codec | undefined,
    about: OutgoingFacts,
  ): EncodedBody;
  decode(content: Buffer, properties: MessageProperties, codec?: Codec): unknown;
  /** The same, beside the event loop where that takes long. @throws DecodeError */
  decodeSoon(content: Buffer, properties: MessageProperties, codec?: Codec): MaybePromise<unknown>;
  /** A body without its content-encoding, within the limits of what `codec` reads. @throws DecodeError */
  decompress(content: Buffer, properties: MessageProperties, codec?: Codec): Buffer;
}
