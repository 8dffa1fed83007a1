// Dead letters: when, whereto, and what the broker writes on them.
import { expect, it } from '@jest/globals';
import type { ConsumeMessage, GetMessage, Options } from 'amqplib';
import { onEachVersion } from '../support/brokers.js';
import { fresh, Session } from './session.js';

interface Death {
  readonly count: number;
  readonly exchange: string;
  readonly queue: string;
  readonly reason: string;
  readonly 'routing-keys': string[];
  readonly 'original-expiration'?: string;
  readonly time: { readonly '!': string; readonly value: number };
}

const deaths = (message: ConsumeMessage | GetMessage): Death[] =>
  message.properties.headers?.['x-death'] ?? [];

onEachVersion('Dead letters', (broker) => {
  const declare = async (
    session: Session,
    options: Options.AssertQueue = {},
  ): Promise<{ queue: string; dead: string }> => {
    const dead = await session.queue();
    return {
      dead,
      queue: await session.queue({ deadLetterExchange: '', deadLetterRoutingKey: dead, ...options }),
    };
  };
  const kill = async (session: Session, queue: string): Promise<void> => {
    const message = await session.channel.get(queue);
    if (message) session.channel.reject(message, false);
  };

  it.each([
    ['reject', (session: Session, message: GetMessage) => session.channel.reject(message, false)],
    ['nack', (session: Session, message: GetMessage) => session.channel.nack(message, false, false)],
  ])('come from a %s without requeue', async (_, refuse) => {
    const session = await Session.open(broker);
    const { queue, dead } = await declare(session);
    await session.send(queue, ['x']);
    refuse(session, (await session.channel.get(queue)) as GetMessage);
    const message = await (await session.consume(dead)).message();
    expect(deaths(message)).toMatchObject([{ reason: 'rejected', queue, count: 1 }]);
  });

  it('come from a nack of several at once, in order', async () => {
    const session = await Session.open(broker);
    const { queue, dead } = await declare(session);
    await session.send(queue, ['a', 'b', 'c']);
    const consumer = await session.consume(queue);
    const taken = await consumer.got.take(3);
    session.channel.nack(taken[1]!, true, false);
    expect(await (await session.consume(dead)).bodies(2)).toEqual(['a', 'b']);
  });

  it('do not come from an ack, a requeue, a purge or a deletion', async () => {
    const session = await Session.open(broker);
    const { queue, dead } = await declare(session);
    await session.send(queue, ['acked', 'requeued', 'purged']);
    session.channel.ack((await session.channel.get(queue)) as GetMessage);
    session.channel.nack((await session.channel.get(queue)) as GetMessage, false, true);
    await session.channel.purgeQueue(queue);
    await session.send(queue, ['deleted']);
    await session.channel.deleteQueue(queue);
    expect(await session.drain(dead)).toEqual([]);
  });

  it('say why, where, when, how often and with which keys', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('topic');
    const { queue, dead } = await declare(session);
    await session.channel.bindQueue(queue, exchange, '#');
    await session.publish(exchange, 'order.eu', 'x');
    await kill(session, queue);
    const message = await (await session.consume(dead)).message();
    const time = { '!': 'timestamp', value: expect.any(Number) };
    expect(deaths(message)).toEqual([
      { count: 1, exchange, queue, reason: 'rejected', 'routing-keys': ['order.eu'], time },
    ]);
    expect(Math.abs(deaths(message)[0].time.value - Date.now() / 1000)).toBeLessThan(60);
    expect(message.properties.headers).toMatchObject({
      'x-first-death-exchange': exchange,
      'x-first-death-queue': queue,
      'x-first-death-reason': 'rejected',
    });
  });

  it('keep body, properties and headers', async () => {
    const session = await Session.open(broker);
    const { queue, dead } = await declare(session);
    const properties = {
      contentType: 'text/plain',
      messageId: 'm1',
      correlationId: 'c1',
      priority: 3,
      type: 't',
      appId: 'a',
    };
    await session.publish('', queue, 'body', { ...properties, persistent: true, headers: { mine: 1 } });
    await kill(session, queue);
    const message = await (await session.consume(dead)).message();
    expect(message).toMatchObject({ properties: { ...properties, deliveryMode: 2, headers: { mine: 1 } } });
    expect(String(message.content)).toBe('body');
  });

  it('keep their key when the queue names none', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('topic');
    const dead = await session.bound(exchange, ['#']);
    const queue = await session.queue({ deadLetterExchange: exchange });
    await session.send(queue, ['x']);
    await kill(session, queue);
    expect(await (await session.consume(dead)).message()).toMatchObject({
      fields: { exchange, routingKey: queue },
    });
  });

  it('take the key that the queue names', async () => {
    const session = await Session.open(broker);
    const exchange = await session.exchange('topic');
    const dead = await session.bound(exchange, ['dead.#']);
    const queue = await session.queue({ deadLetterExchange: exchange, deadLetterRoutingKey: 'dead.order' });
    await session.send(queue, ['x']);
    await kill(session, queue);
    const message = await (await session.consume(dead)).message();
    expect(message).toMatchObject({ fields: { exchange, routingKey: 'dead.order' } });
    expect(deaths(message)).toMatchObject([{ 'routing-keys': [queue] }]);
  });

  it('are lost when the exchange does not exist or routes nowhere', async () => {
    const session = await Session.open(broker);
    const queue = await session.queue({ deadLetterExchange: fresh('missing') });
    await session.send(queue, ['x', 'y']);
    await kill(session, queue);
    expect(await session.drain(queue)).toEqual(['y']);
  });

  it('lose their expiration, which is written down, so that they do not expire again', async () => {
    const session = await Session.open(broker);
    const { queue, dead } = await declare(session);
    await session.send(queue, ['x'], { expiration: '20' });
    const message = await (await session.consume(dead)).message();
    expect(message.properties.expiration).toBeUndefined();
    expect(deaths(message)).toMatchObject([{ reason: 'expired', 'original-expiration': '20' }]);
  });

  it.each([
    ['expired', { messageTtl: 10 }, ['x']],
    ['maxlen', { maxLength: 0 }, ['x']],
  ] as const)('of another cause say so: %s', async (reason, options, bodies) => {
    const session = await Session.open(broker);
    const { queue, dead } = await declare(session, options);
    await session.send(queue, bodies);
    const message = await (await session.consume(dead)).message();
    expect(deaths(message)).toMatchObject([{ reason, queue, count: 1 }]);
    expect(message.properties.headers).toMatchObject({ 'x-first-death-reason': reason });
  });

  it('that a client publishes again with their headers count on, and since 4.0 begin at one', async () => {
    const session = await Session.open(broker);
    const { queue, dead } = await declare(session);
    await session.send(queue, ['x']);
    for (let round = 0; round < 2; round++) {
      await kill(session, queue);
      const message = await (await session.consume(dead, { noAck: true })).message();
      expect(deaths(message)).toMatchObject([{ count: broker.since('4.0') ? 1 : round + 1 }]);
      const options = { headers: message.properties.headers };
      await session.publish('', queue, 'x', options);
      await session.channel.deleteQueue(dead);
      await session.channel.assertQueue(dead);
    }
  });

  it('tell their last death since 4.0, and forget what a client claims', async () => {
    const session = await Session.open(broker);
    const { queue, dead } = await declare(session);
    const claimed = {
      'x-death': [{ queue, reason: 'rejected', count: 7 }],
      'x-first-death-queue': 'elsewhere',
    };
    await session.send(queue, ['x'], { headers: claimed });
    await kill(session, queue);
    const message = await (await session.consume(dead)).message();
    const last = {
      'x-last-death-reason': 'rejected',
      'x-last-death-queue': queue,
      'x-last-death-exchange': '',
    };
    if (broker.since('4.0')) {
      expect(message.properties.headers).toMatchObject({ ...last, 'x-first-death-queue': queue });
      expect(deaths(message)).toMatchObject([{ count: 1 }]);
    } else {
      expect(Object.keys(message.properties.headers ?? {})).not.toContain('x-last-death-queue');
      expect(message.properties.headers).toMatchObject({ 'x-first-death-queue': 'elsewhere' });
      expect(deaths(message)).toMatchObject([{ count: 8 }]);
    }
  });

  it.each([
    ['a text', 'abc'],
    ['a fraction', { '!': 'double', value: 1.5 }],
    ['nothing', null],
  ])('begin at one when a client wrote %s for the count', async (_, count) => {
    // The queue of RabbitMQ fails, and starts again with the message or without it.
    if (broker.kind === 'rabbitmq' && !broker.since('4.0')) return;
    const session = await Session.open(broker);
    const { queue, dead } = await declare(session, { messageTtl: 10 });
    await session.send(queue, ['x'], { headers: { 'x-death': [{ queue, reason: 'expired', count }] } });
    const message = await (await session.consume(dead)).message();
    expect(deaths(message)).toMatchObject([{ queue, reason: 'expired', count: 1 }]);
  });

  it('that go in a circle of the broker count on in every version', async () => {
    const session = await Session.open(broker);
    const [one, two] = [fresh('queue'), fresh('queue')];
    const to = (key: string): object => ({ deadLetterExchange: '', deadLetterRoutingKey: key });
    await session.channel.assertQueue(one, to(two));
    await session.channel.assertQueue(two, { ...to(one), messageTtl: 10 });
    await session.send(one, ['x']);
    const consumer = await session.consume(one);
    for (let n = 0; n < 2; n++) session.channel.reject(await consumer.message(), false);
    const message = await consumer.message();
    expect(deaths(message)).toMatchObject([
      { queue: two, reason: 'expired', count: 2 },
      { queue: one, reason: 'rejected', count: 2 },
    ]);
    expect(message.properties.headers).toMatchObject({ 'x-first-death-queue': one });
    if (broker.since('4.0')) expect(message.properties.headers).toMatchObject({ 'x-last-death-queue': two });
  });

  it('that die elsewhere list their latest death first and remember the first one', async () => {
    const session = await Session.open(broker);
    const dead = await session.queue();
    const second = await session.queue({
      deadLetterExchange: '',
      deadLetterRoutingKey: dead,
      messageTtl: 10,
    });
    const first = await session.queue({ deadLetterExchange: '', deadLetterRoutingKey: second });
    await session.send(first, ['x']);
    await kill(session, first);
    const message = await (await session.consume(dead)).message();
    expect(deaths(message).map(({ queue, reason }) => [queue, reason])).toEqual([
      [second, 'expired'],
      [first, 'rejected'],
    ]);
    expect(message.properties.headers).toMatchObject({
      'x-first-death-queue': first,
      'x-first-death-reason': 'rejected',
    });
  });

  it('that expire in a circle without any rejection are dropped', async () => {
    const session = await Session.open(broker);
    const [one, two] = [fresh('queue'), fresh('queue')];
    const exchange = await session.exchange('fanout');
    const witness = await session.bound(exchange, ['']);
    const options = (next: string): Options.AssertQueue => ({
      messageTtl: 10,
      deadLetterExchange: next === two ? exchange : '',
      deadLetterRoutingKey: next,
    });
    await session.channel.assertQueue(one, options(two));
    await session.channel.assertQueue(two, options(one));
    await session.channel.bindQueue(two, exchange, '');
    const seen = await session.consume(witness, { noAck: true });
    // A message that went on in its circle would pass the witness again, between the later ones.
    for (const body of ['a', 'b', 'c', 'd', 'e']) {
      await session.send(one, [body]);
      expect(await seen.bodies(1)).toEqual([body]);
    }
  });

  it('of a message with CC keep the list, and BCC is not brought back', async () => {
    const session = await Session.open(broker);
    const { queue, dead } = await declare(session);
    await session.publish('', queue, 'x', { CC: ['elsewhere'], BCC: ['hidden'] });
    await kill(session, queue);
    const message = await (await session.consume(dead)).message();
    expect(message.properties.headers).not.toHaveProperty('BCC');
    expect(deaths(message)[0]['routing-keys']).toEqual([queue, 'elsewhere']);
  });

  it('may return to the queue that they came from', async () => {
    const session = await Session.open(broker);
    const queue = fresh('queue');
    await session.channel.assertQueue(queue, {
      deadLetterExchange: '',
      deadLetterRoutingKey: queue,
    });
    await session.send(queue, ['x']);
    const consumer = await session.consume(queue);
    session.channel.reject(await consumer.message(), false);
    const again = await consumer.message();
    expect(again.fields.redelivered).toBe(false);
    expect(deaths(again)).toMatchObject([{ queue, count: 1 }]);
  });
});
