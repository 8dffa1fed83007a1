// Dead letters whatever the message or the operator does: headers that fill a frame, small frames, a
// dead-letter queue that somebody deleted.

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { EmbeddedBroker } from '@warren/embedded';
import { tableBytes } from '../../libs/amqp/src/message/headers.js';
import { onEachBroker, onEmbedded } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { count, logged, taken, warren } from '../support/warren.js';

class Loud extends Error {
  override readonly name = 'Loud';
  override readonly stack = 'at somewhere\n'.repeat(1_000);
}

const fails = (): never => {
  throw new Loud('no');
};
const stackOf = (headers: Record<string, unknown> | undefined): string =>
  headers?.['x-exception-stacktrace'] as string;

onEachBroker('a dead letter', (broker) => {
  describe('of a message whose own headers fill a frame', () => {
    it('keeps them all; our stack is cut, and a header says so', async () => {
      const rabbit = await warren(broker.url).consume('full', fails, { retry: false }).open();
      const own = 'x'.repeat(60 * 1024);
      await rabbit.broker.send('full', 1, { headers: { own } });
      const { headers } = (await taken(broker, 'full.dead')).properties;
      expect(headers?.own).toBe(own);
      expect(headers).toMatchObject({
        'x-exception-type': 'Loud',
        'x-exception-message': 'no',
        'x-warren-left-out-headers': 'x-exception-stacktrace',
      });
      expect(stackOf(headers).length).toBeLessThan(5_000);
      expect(rabbit.lines.join()).not.toContain('could not be forwarded');
    });

    it('is tried again with all of them', async () => {
      const sizes = new Collector<number>();
      const rabbit = await warren(broker.url)
        .consume('full.again', ({ headers }) => (sizes.push((headers.own as string).length), fails()), {
          retry: { attempts: 3, delays: 20, jitter: false },
        })
        .open();
      await rabbit.broker.send('full.again', 1, { headers: { own: 'x'.repeat(60 * 1024) } });
      expect(await sizes.take(3)).toEqual([61_440, 61_440, 61_440]);
      const { headers } = (await taken(broker, 'full.again.dead')).properties;
      expect(headers).toMatchObject({ 'x-warren-attempt': 2 });
    });

    it('leaves out what cannot be sent again at all, names it, and does not try such a message twice', async () => {
      const seen = new Collector<number>();
      const rabbit = await warren(broker.url)
        .consume('overfull', ({ attempt }) => (seen.push(attempt), fails()))
        .open();
      const channel = await (await broker.connect()).createChannel();
      // As much as the client library can write: headers that Warren adds do not fit.
      const headers: Record<string, string> = { small: 'kept', middle: 'y'.repeat(5_000) };
      headers.big = 'x'.repeat(65_536 - tableBytes({ ...headers, big: '' }));
      channel.sendToQueue('overfull', Buffer.from('1'), { headers });
      const dead = (await taken(broker, 'overfull.dead')).properties.headers;
      expect(dead).toMatchObject({
        small: 'kept',
        middle: headers.middle,
        'x-exception-type': 'Loud',
        'x-warren-reason': 'too-large',
      });
      expect(dead).not.toHaveProperty('big');
      expect(dead?.['x-warren-left-out-headers']).toMatch(/\bbig$/);
      await logged(rabbit, 'has too many headers to be retried');
      expect(seen.all).toEqual([1]);
    });
  });

  it.each(['quorum', 'classic'] as const)(
    'of a %s queue finds its own queue deleted by hand, and declares it again',
    async (queueType) => {
      const queue = `emptied.${queueType}`;
      const rabbit = await warren(broker.url).consume(queue, fails, { retry: false, queueType }).open();
      await rabbit.broker.send(queue, 1);
      await taken(broker, `${queue}.dead`);
      const channel = await (await broker.connect()).createChannel();
      await channel.deleteQueue(`${queue}.dead`);
      await rabbit.broker.send(queue, 2);
      expect((await taken(broker, `${queue}.dead`)).content.toString()).toBe('2');
      // As it was at start: another declaration would be refused.
      const limit = queueType === 'quorum' ? { 'x-delivery-limit': 1_000_000_000 } : {};
      const again = { durable: true, arguments: { 'x-queue-type': queueType, ...limit } };
      await channel.assertQueue(`${queue}.dead`, again);
      expect(await count(broker, queue)).toBe(0);
      expect(rabbit.lines.join()).not.toContain('could not be forwarded');
    },
  );
});

onEmbedded('a dead letter', (broker) => {
  let small: EmbeddedBroker;
  beforeAll(async () => {
    // The least that AMQP allows, and RabbitMQ until 4.3; it closes the connection of whoever sends more.
    small = await EmbeddedBroker.start({ port: 0, version: '3.10', frameMax: 4_096 });
  });
  afterAll(() => small.close());

  it('fits the frames of a connection that agreed on small ones', async () => {
    const attempts: number[] = [];
    const rabbit = await warren(small.url)
      .consume('small.frames', ({ attempt }) => (attempts.push(attempt), fails()), {
        retry: { attempts: 2, delays: 20, jitter: false },
      })
      .open();
    await rabbit.broker.send('small.frames', 1, { headers: { own: 'x'.repeat(1_000) } });
    const channel = await (await broker.connect({ url: small.url })).createChannel();
    const dead = await until(() => channel.get('small.frames.dead', { noAck: true }), 'the dead letter');
    const { headers } = dead.properties;
    expect(headers).toMatchObject({
      own: 'x'.repeat(1_000),
      'x-warren-left-out-headers': 'x-exception-stacktrace',
      'x-warren-attempt': 1,
    });
    expect(tableBytes(headers ?? {})).toBeLessThan(4_000);
    expect(attempts).toEqual([1, 2]);
    expect(rabbit.lines.join()).not.toMatch(/lost|could not be forwarded/);
  });
});
