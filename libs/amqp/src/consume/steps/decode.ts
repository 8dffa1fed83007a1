// The body becomes the payload, checked by the handler's schema if it has one. What cannot be read or
// does not fit never reaches the handler, and no retry would change that.

import type { Codec, CodecLookup } from '../../message/codecs/codec.js';
import type { Delivery, Verdict } from '../../message/delivery.js';
import { refuseUnreadable } from '../../message/headers.js';
import { validate, type StandardSchema } from '../../message/schema.js';
import type { MaybePromise } from '../../runtime/maybe-promise.js';
import type { Run, Step } from '../step.js';

export const decode: Step = (context) => {
  const { schema, codec } = context.plan;
  const { codecs } = context.forwarder;
  const refused = (error: unknown): Verdict => ({ kind: 'dead-letter', reason: 'undecodable', error });
  return (next) => {
    const go = (payload: unknown, delivery: Delivery): MaybePromise<Verdict> => {
      if (schema) return checked(delivery, schema, payload, next);
      delivery.payload = payload;
      return next(delivery);
    };
    return (delivery) => {
      let payload: MaybePromise<unknown>;
      try {
        payload = payloadOf(delivery, codecs, codec);
      } catch (error) {
        return refused(error);
      }
      if (!(payload instanceof Promise)) return go(payload, delivery);
      return payload.then((value) => go(value, delivery), refused);
    };
  };

  async function checked(
    to: Delivery,
    schema: StandardSchema,
    payload: unknown,
    next: Run,
  ): Promise<Verdict> {
    try {
      to.payload = await validate(schema, payload);
    } catch (error) {
      return refused(error);
    }
    return next(to);
  }
};

/** A body as a checked payload. @throws DecodeError */
export async function decodePayload(
  delivery: Delivery,
  codecs: CodecLookup,
  codec: Codec | undefined,
  schema: StandardSchema | undefined,
): Promise<unknown> {
  const payload = await payloadOf(delivery, codecs, codec);
  return schema ? validate(schema, payload) : payload;
}

function payloadOf(
  { headers, message }: Delivery,
  codecs: CodecLookup,
  codec?: Codec,
): MaybePromise<unknown> {
  refuseUnreadable(headers);
  return codecs.decodeSoon(message.content, message.properties, codec);
}
