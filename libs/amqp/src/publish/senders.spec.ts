// Which channel a message takes: a stream's own on RabbitMQ 3, where another number than its own makes the stream lose what
// follows; else the one of all.
import { describe, expect, it } from '@jest/globals';
import type { Server } from '../message/direct-reply.js';
import type { Sender } from './sender.js';
import { Senders } from './publisher.js';

function senders(server: Partial<Server>) {
  const made: object[] = [];
  const flushed: object[] = [];
  const make = (): Sender => {
    const sender = {
      pending: { unconfirmed: 1, waiting: 2 },
      buffer: { size: 3, bytes: 4, limit: 10 },
      unblocked: () => void flushed.push(sender),
      close: () => Promise.resolve(),
    };
    made.push(sender);
    return sender as unknown as Sender;
  };
  const seen = { product: 'RabbitMQ', version: [3, 10] as const, ...server };
  const streams = new Set(['stream.a', 'stream.b']);
  const all = new Senders({ make, streams, server: () => seen });
  const to = (routingKey: string, exchange = ''): Sender => all.of({ exchange, routingKey });
  return { all, to, made, flushed, seen };
}

describe('messages to a stream', () => {
  it('have a channel of their own on RabbitMQ 3, one for each stream', () => {
    const { all, to, made } = senders({});
    expect(to('stream.a')).toBe(to('stream.a'));
    expect(new Set([all.main, to('stream.a'), to('stream.b')]).size).toBe(3);
    expect(to('queue')).toBe(all.main);
    expect(to('stream.a', 'events')).toBe(all.main);
    expect(made).toHaveLength(3);
  });

  it.each([{ version: [4, 0] as const }, { product: 'warren' }])(
    'take that of all others on %j',
    (server) => {
      const { all, to } = senders(server);
      expect(to('stream.a')).toBe(all.main);
    },
  );

  it('keep to their channel once they had one, so that none overtakes another', () => {
    const { to, seen } = senders({ product: '', version: [0, 0] });
    const first = to('stream.a');
    Object.assign(seen, { product: 'RabbitMQ', version: [4, 3] });
    expect(to('stream.a')).toBe(first);
  });

  it('are counted and told with the others', () => {
    const { all, to, made, flushed } = senders({});
    to('stream.a');
    expect(all.pending).toEqual({ unconfirmed: 2, waiting: 4 });
    expect(all.buffer).toEqual({ size: 6, bytes: 8, limit: 10 });
    all.unblocked();
    expect(flushed).toEqual(made);
  });
});
