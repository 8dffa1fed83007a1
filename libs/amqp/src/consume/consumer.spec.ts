// What happens between the last ack of a consumer that is renewed and the end of its channel.

import { expect, it } from '@jest/globals';
import type { LiveChannel, OnDelivery } from '../connection/channel.js';
import type { Connection } from '../connection/connection.js';
import { Events } from '../events/emitter.js';
import type { Delivery } from '../message/delivery.js';
import { settings } from '../options/settings.js';
import { systemClock } from '../runtime/clock.js';
import { SILENT } from '../runtime/logger.js';
import { Consumer } from './consumer.js';
import type { HandlerContext } from './step.js';

/** A channel that writes down what it is asked; the queue says that it has the acks when `has` resolves. */
function channel(log: string[], has: () => Promise<void>) {
  let resolve: (reason: string) => void = () => undefined;
  const made = {
    alive: true,
    closed: new Promise<string>((settle) => (resolve = settle)),
    deliver: (() => undefined) as OnDelivery,
    prefetch: () => Promise.resolve(),
    consume: (_queue: string, _options: unknown, onDelivery: OnDelivery) => {
      made.deliver = onDelivery;
      log.push('consume');
      return Promise.resolve('tag');
    },
    ack: (tag: number) => log.push(`ack ${tag}`) > 0,
    acksTaken: () => (log.push('acks taken?'), has()),
    close: (reason = 'closed') => (log.push('close'), made.end(reason), Promise.resolve()),
    end: (reason: string) => {
      made.alive = false;
      resolve(reason);
    },
  };
  return made;
}

async function consuming(has: () => Promise<void>) {
  const log: string[] = [];
  const channels: ReturnType<typeof channel>[] = [];
  const connection = {
    state: 'open',
    opened: () => Promise.resolve(),
    withChannel: () => Promise.resolve(),
    openChannel: () => {
      channels.push(channel(log, has));
      return Promise.resolve(channels.at(-1));
    },
  } as unknown as Connection;
  const events = new Events(SILENT, 'test');
  events.on((event) => {
    if (event.kind === 'consumer-lost') log.push(`lost: ${event.reason}`);
  });
  const queue = { name: 'q', arguments: { 'x-queue-type': 'quorum' }, temporary: false, declaredBy: 'h' };
  const plan = {
    ...{ id: 'h', ack: 'auto', prefetch: 10, concurrency: 1, queue, consumeArguments: {}, routes: [] },
    retry: { attempts: 1 },
    registration: {
      options: {},
      handle: ({ message }: Delivery) => void log.push(`handle ${message.deliveryTag}`),
    },
  };
  const context = {
    ...{ plan, events, clock: systemClock, logger: SILENT, steps: [], rpc: undefined, counters: {} },
    settings: settings({ reconnect: { min: 1, max: 1 } }),
    late: { arrived: () => undefined },
    plugins: { aroundBatch: (_info: unknown, run: unknown) => run },
  } as unknown as HandlerContext;
  const topology = { bindings: [], queues: [], exchanges: [] };
  const options = { connection, contexts: [context], topology, dispatch: () => 0, declared: () => true };
  const consumer = new Consumer(options);
  await consumer.start();
  const arrive = (deliveryTag: number): void => {
    const of = channels.at(-1) as ReturnType<typeof channel>;
    const message = { content: Buffer.from('1'), exchange: '', routingKey: 'q', properties: {} };
    of.deliver({ ...message, redelivered: false, deliveryTag }, of as unknown as LiveChannel);
  };
  return { log, consumer, channels, arrive };
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
};

it('a consumer that is renewed closes its channel when the queue has the acks, and takes nothing meanwhile', async () => {
  let taken = (): void => undefined;
  const { log, consumer, arrive } = await consuming(() => new Promise((resolve) => (taken = resolve)));
  arrive(1);
  await turns();
  consumer.renew('another node has the queue');
  consumer.renew();
  arrive(2);
  await turns();
  expect(log.splice(0)).toEqual(['consume', 'handle 1', 'ack 1', 'acks taken?']);
  taken();
  await turns();
  // A new channel may be there already.
  expect(log.slice(0, 2)).toEqual(['close', 'lost: another node has the queue']);
  await consumer.drain(new Promise(() => undefined));
});

it('a consumer whose channel dies of that question still says why it was renewed', async () => {
  const dies = { now: (): void => undefined };
  const { log, consumer, channels } = await consuming(() => (dies.now(), Promise.reject(new Error('404'))));
  dies.now = () => channels[0].end('NOT_FOUND - no queue');
  consumer.renew('the queue was deleted');
  await turns();
  expect(log.slice(0, 3)).toEqual(['consume', 'acks taken?', 'lost: the queue was deleted']);
  await consumer.drain(new Promise(() => undefined));
});
