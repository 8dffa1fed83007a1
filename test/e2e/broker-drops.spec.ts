// What the broker drops by itself: messages that came back too often, expired, or were the oldest of a full queue. They
// land in <queue>.dead, unless somebody said otherwise or the queue was there before.

import { describe, expect, it } from '@jest/globals';
import type { Broker, HandlerOptions } from '@warren/amqp';
import { onEachBroker, type TestBroker } from '../support/brokers.js';
import { until, within } from '../support/events.js';
import { Tap } from '../support/tap.js';
import { count, logged, rejection, taken, warren } from '../support/warren.js';

const TYPES = ['quorum', 'classic'] as const;
const QUORUM = { 'x-queue-type': 'quorum' };

/** Opens a consumer whose connections are cut at once, whatever it got by then. */
async function crash({ url }: TestBroker): Promise<void> {
  const tap = await Tap.open(url);
  const { broker } = await warren(tap.url, { shutdown: 50 })
    .consume('crashes', () => new Promise(() => undefined), { queueType: 'quorum' })
    .open();
  tap.cut();
  await broker.close();
}

/** Declares what a handler needs, as its application does when it starts, and consumes nothing. */
async function declared(broker: TestBroker, queue: string, options: HandlerOptions): Promise<Broker> {
  const rabbit = await warren(broker.url, { consumers: false })
    .consume(queue, () => 1, options)
    .open();
  return rabbit.broker;
}

/** Whether another program may declare the queue like that. */
async function declares(broker: TestBroker, queue: string, args: object): Promise<string> {
  const channel = await (await broker.connect()).createChannel();
  channel.on('error', () => undefined);
  return channel.assertQueue(queue, { durable: true, arguments: args }).then(
    () => 'yes',
    (error: Error) => error.message,
  );
}

/** The broker's own word in a dead letter. */
async function death(broker: TestBroker, queue: string): Promise<object> {
  const { content, properties } = await taken(broker, queue);
  const [latest] = properties.headers?.['x-death'] as { reason: string; queue: string }[];
  return { payload: content.toString(), reason: latest.reason, queue: latest.queue };
}

onEachBroker('what the broker drops', (broker) => {
  it('of a consumer that ends whenever it starts is in its queue or its dead-letter queue, all of it', async () => {
    const publisher = await declared(broker, 'crashes', { queueType: 'quorum' });
    await Promise.all(Array.from({ length: 10 }, (_, n) => publisher.send('crashes', n)));
    for (let life = 0; life < 24; life++) await crash(broker);
    const found = new Set<unknown>();
    for (let n = 0; n < 10; n++) {
      const where = (await count(broker, 'crashes')) > 0 ? 'crashes' : 'crashes.dead';
      found.add((await taken(broker, where)).content.toString());
    }
    expect(found.size).toBe(10);
  });

  it('because it came back more often than its queue allows lands there', async () => {
    const options = { queueType: 'quorum', arguments: { 'x-delivery-limit': 2 } } as const;
    await (await declared(broker, 'limited', options)).send('limited', 'again');
    for (let n = 0; n < 3; n++) {
      const connection = await broker.connect();
      const channel = await connection.createChannel();
      const got = new Promise<void>((resolve) => void channel.consume('limited', () => resolve()));
      await within(got, 'the message');
      await connection.close();
    }
    expect(await death(broker, 'limited.dead')).toEqual({
      ...{ payload: 'again', reason: 'delivery_limit', queue: 'limited' },
    });
  });

  describe.each(TYPES)('of a %s queue', (queueType) => {
    it('because its time in the queue is over lands there', async () => {
      const queue = `ttl.${queueType}`;
      await (await declared(broker, queue, { queueType, messageTtl: 50 })).send(queue, 1);
      expect(await death(broker, `${queue}.dead`)).toEqual({ payload: '1', reason: 'expired', queue });
    });

    it('because the queue is full lands there, the oldest first', async () => {
      const queue = `full.${queueType}`;
      const publisher = await declared(broker, queue, { queueType, maxLength: 1 });
      for (const payload of [1, 2, 3]) await publisher.send(queue, payload);
      expect(await death(broker, `${queue}.dead`)).toEqual({ payload: '1', reason: 'maxlen', queue });
      expect(await death(broker, `${queue}.dead`)).toEqual({ payload: '2', reason: 'maxlen', queue });
      expect(await count(broker, queue)).toBe(1);
    });
  });

  it.each([
    ['deadLetter: false', { deadLetter: false }],
    ['deadLetter: { broker: false }', { deadLetter: { broker: false } }],
  ])('is left to the broker with %s: the queue is as any program would declare it', async (_, options) => {
    await declared(broker, 'plain', { queueType: 'quorum', ...options });
    expect(await declares(broker, 'plain', QUORUM)).toBe('yes');
  });

  it('is left to the broker for a connection that says so', async () => {
    await warren(broker.url, { consumers: false, queueType: 'quorum', deadLetter: { broker: false } })
      .consume('plain.all', () => 1)
      .open();
    expect(await declares(broker, 'plain.all', QUORUM)).toBe('yes');
  });

  it('goes where the arguments of the queue say, and a classic queue that drops nothing has none', async () => {
    const own = { 'x-dead-letter-exchange': 'amq.fanout' };
    await declared(broker, 'own', { queueType: 'quorum', arguments: own });
    expect(await declares(broker, 'own', { ...QUORUM, ...own })).toBe('yes');
    await declared(broker, 'simple', {});
    expect(await declares(broker, 'simple', {})).toBe('yes');
  });

  it('of the requests of calls is gone: their callers know', async () => {
    await warren(broker.url, { consumers: false })
      .rpc('asked', () => 1, { queueType: 'quorum', deadLetter: true })
      .open();
    expect(await declares(broker, 'asked', QUORUM)).toBe('yes');
  });
});

onEachBroker('a queue that was there before', (broker) => {
  it('without the arguments is used as it is, which is said once, with what to do', async () => {
    expect(await declares(broker, 'older', QUORUM)).toBe('yes');
    const rabbit = await warren(broker.url, { queueType: 'quorum' })
      .consume('older', () => 1)
      .consume('newer', () => 1)
      .open();
    expect(await logged(rabbit, "queue 'older'")).toContain('on RabbitMQ 4 those of a quorum queue');
    await broker.closeConnections();
    const ready = (): number => rabbit.events.all.filter(({ kind }) => kind === 'consumer-ready').length;
    await until(() => ready() === 4, 'both consumers to be back');
    expect(rabbit.lines.filter((line) => line.includes('exists without'))).toHaveLength(1);
    expect(rabbit.lines.join('\n')).not.toContain("queue 'newer' of");
  });

  it('otherwise in any other way is refused as before', async () => {
    const rabbit = warren(broker.url, { queueType: 'quorum' }).consume('elsewhere', () => 1);
    await declares(broker, 'elsewhere', { ...QUORUM, 'x-dead-letter-exchange': 'amq.fanout' });
    expect(await rejection(rabbit.open())).toMatchObject({
      name: 'TopologyMismatchError',
      facts: { argument: 'x-dead-letter-exchange', wanted: 'none', current: "'amq.fanout'" },
    });
  });

  it('with the arguments is used by who does not ask for them, and who asks for them by name adds nothing', async () => {
    await declared(broker, 'shared', { queueType: 'quorum' });
    const producer = warren(broker.url, { consumers: false });
    producer.broker.declare({ queues: [{ name: 'shared', queueType: 'quorum' }] });
    await producer.open();
    await declared(broker, 'shared', { queueType: 'quorum', deadLetter: { broker: false } });
    expect(producer.lines.filter((line) => line.includes('shared'))).toEqual([]);
    expect(
      await rejection(declared(broker, 'shared', { queueType: 'quorum', deadLetter: false })),
    ).toMatchObject({
      name: 'TopologyMismatchError',
    });
  });

  it('is declared with them by who says it beside somebody who only names it', async () => {
    const both = warren(broker.url, { consumers: false, queueType: 'quorum' }).consume('both', () => 1);
    both.broker.declare({ queues: [{ name: 'both' }] });
    await both.open();
    expect(await declares(broker, 'both', QUORUM)).toContain('x-dead-letter-exchange');
  });
});

onEachBroker('the policy that the log recommends', (broker) => {
  it('makes a queue without the arguments keep what the broker drops', async () => {
    await declares(broker, "it's.older", QUORUM);
    const again = await warren(broker.url, { consumers: false, queueType: 'quorum' })
      .consume("it's.older", () => 1)
      .open();
    const line = await logged(again, 'rabbitmqctl');
    const [, pattern, definition] = /'keep-[^ ]+ '(.+)' '({.*})'/.exec(
      line.replaceAll(`'\\''`, '’'),
    ) as string[];
    const vhost = broker.vhostPath;
    const unquoted = (text: string): string => text.replaceAll('’', "'");
    await broker.manage('PUT', `/policies/${vhost}/keep`, {
      pattern: unquoted(pattern),
      definition: { ...(JSON.parse(unquoted(definition)) as object), 'message-ttl': 50 },
      'apply-to': 'queues',
    });
    // A policy reaches its queue a moment later.
    await until(async () => {
      await again.broker.send("it's.older", 'kept');
      return (await count(broker, "it's.older.dead")) > 0;
    }, 'a dead letter');
    expect(await death(broker, "it's.older.dead")).toMatchObject({ payload: 'kept', reason: 'expired' });
  });
});
