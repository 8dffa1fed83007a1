// What happens between the last ack of a wait queue's consumer and the end of its channel.

import { describe, expect, it } from '@jest/globals';
import type { Connection } from '../connection/connection.js';
import type { LiveChannel, OnDelivery } from '../connection/channel.js';
import type { ReceivedMessage } from '../message/message.js';
import { systemClock } from '../runtime/clock.js';
import { waitConsumer } from './wait-consumer.js';

/** A channel that writes down what it is asked; the broker says that it has the acks when `answer` resolves. */
function channel(log: string[], answer: () => Promise<void>) {
  let resolve: (reason: string) => void = () => undefined;
  const closed = new Promise<string>((settle) => (resolve = settle));
  const made = {
    alive: true,
    closed,
    deliver: (() => undefined) as OnDelivery,
    declaring: { checkQueue: () => Promise.resolve({ messageCount: 0 }) },
    prefetch: () => Promise.resolve(),
    consume: (queue: string, _: unknown, onDelivery: OnDelivery) => {
      made.deliver = onDelivery;
      log.push(`consume ${queue}`);
      return Promise.resolve('tag');
    },
    ack: (tag: number) => log.push(`ack ${tag}`) > 0,
    acksTaken: (queue: string) => {
      log.push(`acks of ${queue}?`);
      return answer();
    },
    close: () => {
      log.push('close');
      made.end('closed');
      return Promise.resolve();
    },
    end: (reason: string) => {
      made.alive = false;
      resolve(reason);
    },
  };
  return made;
}

const message = (deliveryTag: number): ReceivedMessage => ({
  content: Buffer.from('m'),
  exchange: '',
  routingKey: 'q',
  redelivered: false,
  deliveryTag,
  properties: {},
});

async function consuming({ clock = systemClock, answer = () => Promise.resolve() } = {}) {
  const log: string[] = [];
  const channels: ReturnType<typeof channel>[] = [];
  let opened = (): void => undefined;
  const connection = {
    opened: () => Promise.resolve(),
    openChannel: () => {
      channels.push(channel(log, answer));
      return Promise.resolve(channels.at(-1));
    },
  } as unknown as Connection;
  const logger = { log: () => undefined, warn: () => undefined, error: () => undefined };
  const consumer = waitConsumer(
    'q.wait',
    { connection, clock, logger, reconnect: { min: 1, max: 1 }, onGone: () => undefined },
    {
      onOpen: () => setImmediate(() => opened()),
      onMessage: ({ deliveryTag }) => log.push(`message ${deliveryTag}`),
      onLost: () => log.push('lost'),
    },
  );
  const open = (): Promise<void> => new Promise((resolve) => (opened = resolve));
  const first = open();
  consumer.start();
  await first;
  return { log, channels, consumer, open };
}

describe('the channel of a wait queue', () => {
  it('closes when the queue has the acks: what was moved must not come back and be moved again', async () => {
    let has = (): void => undefined;
    const { log, channels, consumer } = await consuming({
      answer: () => new Promise((resolve) => (has = resolve)),
    });
    channels[0]?.deliver(message(1), channels[0] as unknown as LiveChannel);
    channels[0]?.ack(1);
    const closed = consumer.close();
    channels[0]?.deliver(message(2), channels[0] as unknown as LiveChannel);
    await Promise.resolve();
    expect(log).toEqual(['consume q.wait', 'message 1', 'ack 1', 'acks of q.wait?']);
    has();
    await closed;
    expect(log.slice(4)).toEqual(['close', 'lost']);
  });

  it('is replaced no sooner than that either, once however often that is asked for', async () => {
    const { log, consumer, open } = await consuming();
    const again = open();
    consumer.renew();
    consumer.renew();
    await again;
    expect(log).toEqual(['consume q.wait', 'acks of q.wait?', 'close', 'lost', 'consume q.wait']);
  });

  it('that ends by itself meanwhile does not cost the next one', async () => {
    let has = (): void => undefined;
    const { log, channels, consumer, open } = await consuming({
      answer: () => new Promise((resolve) => (has = resolve)),
    });
    const again = open();
    consumer.renew();
    channels[0]?.end('the connection was lost');
    await again;
    has();
    await new Promise((resolve) => setImmediate(resolve));
    expect(log).toEqual(['consume q.wait', 'acks of q.wait?', 'lost', 'consume q.wait']);
  });

  it.each<[string, () => Promise<void>]>([
    ['refuses', () => Promise.reject(new Error('gone'))],
    ['is silent', () => new Promise(() => undefined)],
  ])('closes nevertheless when the broker %s', async (_, answer) => {
    const clock = { ...systemClock, after: (_ms: number, call: () => void) => (call(), () => undefined) };
    const { log, consumer } = await consuming({ clock, answer });
    await consumer.close();
    expect(log).toContain('close');
  });
});
