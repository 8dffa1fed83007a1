// The body becomes the payload, checked by the handler's schema if it has one. What cannot be read or
// does not fit never reaches the handler, and no retry would change that.

import type { Codec, CodecLookup } from '../../model/codec.js';
import type { Delivery } from '../../model/delivery.js';
import { refuseUnreadable } from '../../model/headers.js';
import { validate, type StandardSchema } from '../../model/schema.js';
import type { Step } from '../step.js';

export const decode: Step = (room) => (next) => async (delivery) => {
  const { schema, codec } = room.plan;
  try {
    delivery.payload = await decodePayload(delivery, room.outlet.codecs, codec, schema);
  } catch (error) {
    return { kind: 'dead-letter', reason: 'undecodable', error };
  }
  return next(delivery);
};

/** A body as a checked payload. @throws DecodeError */
export async function decodePayload(
  { headers, message }: Delivery,
  codecs: CodecLookup,
  codec: Codec | undefined,
  schema: StandardSchema | undefined,
): Promise<unknown> {
  refuseUnreadable(headers);
  const payload = codecs.decode(message.content, message.properties, codec);
  return schema ? validate(schema, payload) : payload;
}
