import { describe, expect, it } from '@jest/globals';
import { type Frame, FRAME_BODY, FrameReader, PROTOCOL_HEADER } from '../wire/frames.js';
import { NO_PROPERTIES } from '../wire/properties.js';
import { Outbox } from './outbox.js';

/** Everything the outbox wrote, cut into frames again. */
function frames(bytes: Buffer): Frame[] {
  const found: Frame[] = [];
  const take = (frame: Frame): 'next' => {
    found.push(frame);
    return 'next';
  };
  const reader = new FrameReader(2 ** 20, take, () => true);
  reader.push(PROTOCOL_HEADER);
  reader.push(bytes);
  expect(reader.waiting).toBe(0);
  return found;
}

function outbox(): { outbox: Outbox; written: () => Buffer } {
  let sent: Buffer[] = [];
  const box = new Outbox(
    { unsent: 0, send: (blocks) => void sent.push(...blocks) },
    () => undefined,
    () => undefined,
  );
  const written = (): Buffer => {
    box.flush();
    const bytes = Buffer.concat(sent);
    sent = [];
    return bytes;
  };
  return { outbox: box, written };
}

const deliver = { consumerTag: 'c', deliveryTag: 1, redelivered: false, exchange: '', routingKey: 'q' };

describe('The outbox', () => {
  it.each([1, 100, 4088, 16_383, 16_384, 65_000])(
    'writes bodies of %d bytes whole, wherever its blocks end',
    (size) => {
      const { outbox: box, written } = outbox();
      const bodies = Array.from({ length: 200 }, (_, n) => Buffer.alloc(size, n + 1));
      for (const body of bodies) box.content(1, 'basic.deliver', deliver, NO_PROPERTIES, body);
      const found = frames(written()).filter(({ type }) => type === FRAME_BODY);
      expect(Buffer.concat(found.map(({ payload }) => payload)).equals(Buffer.concat(bodies))).toBe(true);
    },
  );

  it('cuts a body into frames of the agreed size', () => {
    const { outbox: box, written } = outbox();
    box.frameMax = 4096;
    const body = Buffer.from(Array.from({ length: 10_000 }, (_, n) => n % 251));
    box.content(3, 'basic.deliver', deliver, NO_PROPERTIES, body);
    const found = frames(written()).filter(({ type }) => type === FRAME_BODY);
    expect(found.map(({ payload }) => payload.length)).toEqual([4088, 4088, 1824]);
    expect(Buffer.concat(found.map(({ payload }) => payload)).equals(body)).toBe(true);
  });

  it('knows what is not sent yet', () => {
    const { outbox: box, written } = outbox();
    box.heartbeat();
    expect(box.unsent).toBe(8);
    expect(written().length).toBe(8);
    expect(box.unsent).toBe(0);
  });
});
