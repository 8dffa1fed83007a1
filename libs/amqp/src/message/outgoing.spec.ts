import { describe, expect, it } from '@jest/globals';
import { EncodeError } from '../errors/errors.js';
import { outgoing } from './outgoing.js';
import type { PublishOptions } from '../options/publish-options.js';

const defaults = {
  exchange: 'events',
  routingKey: 'a.b',
  persistent: true,
  mandatory: true,
  timestamp: 1_700_000_000_999,
  maxBytes: 100,
};
const body = { content: Buffer.from('x'), contentType: 'text/plain' };

describe('outgoing', () => {
  it('sets what every message has, in the wire’s units', () => {
    expect(outgoing(defaults, body, { expiration: '2s', persistent: false, messageId: 'id' })).toEqual({
      exchange: 'events',
      routingKey: 'a.b',
      content: body.content,
      mandatory: true,
      properties: {
        messageId: 'id',
        timestamp: 1_700_000_000,
        deliveryMode: 1,
        headers: {},
        contentType: 'text/plain',
        expiration: '2000',
      },
    });
  });

  it('a codec may leave the content type out, and undefined headers are left out', () => {
    const { properties } = outgoing(
      defaults,
      { content: body.content },
      { headers: { a: undefined, b: null } },
    );
    expect(properties.contentType).toBeUndefined();
    expect(properties.headers).toEqual({ b: null });
  });

  it('allows exactly 255 bytes and no more', () => {
    expect(outgoing({ ...defaults, routingKey: 'x'.repeat(255) }, body, {}).routingKey).toHaveLength(255);
    expect(() => outgoing({ ...defaults, routingKey: 'x'.repeat(256) }, body, {})).toThrow(EncodeError);
    expect(() => outgoing({ ...defaults, routingKey: 'é'.repeat(128) }, body, {})).toThrow(/256 bytes/);
  });

  it('CC and BCC are lists of texts', () => {
    expect(outgoing(defaults, body, { headers: { CC: ['a'], BCC: [] } }).properties.headers).toEqual({
      CC: ['a'],
      BCC: [],
    });
    expect(() => outgoing(defaults, body, { headers: { CC: 'a' } })).toThrow(/'CC'/);
  });

  it.each<[string, PublishOptions]>([
    ['a priority of 256', { priority: 256 }],
    ['a header that is a bigint', { headers: { big: 1n } }],
    ['a delay with an expiration', { delay: 1, expiration: 1 }],
    [
      'a deep header',
      { headers: { deep: Array.from({ length: 30 }).reduce<unknown>((inner) => [inner], 1) } },
    ],
  ])('%s is refused', (_name, options) => {
    expect(() => outgoing(defaults, body, options)).toThrow(EncodeError);
  });

  it('the largest body is the limit itself', () => {
    expect(outgoing(defaults, { content: Buffer.alloc(100) }, {}).content).toHaveLength(100);
    expect(() => outgoing(defaults, { content: Buffer.alloc(101) }, {})).toThrow(/maxMessageBytes is 100/);
    expect(outgoing(defaults, { content: 'ü'.repeat(50) }, {}).content).toHaveLength(50);
    expect(() => outgoing(defaults, { content: `${'ü'.repeat(50)}.` }, {})).toThrow(/the body has 101 bytes/);
  });
});
