// Whatever lies in a queue: each delivery has one outcome, the next good message is handled, the other queue of the
// application notices nothing, and nothing comes a second time.
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import type { Delivery } from '@warren/amqp';
import type { ConfirmChannel } from 'amqplib';
import { bodies, deliver, headers, LIMIT, type BadDelivery } from '../support/bad-inputs.js';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { count, kept, warren, type Warren } from '../support/warren.js';

const QUEUE = 'deliveries';
const EXCHANGE = 'bad.keys';
const GOOD = Buffer.from('"good"');

onEachBroker('bad deliveries', (broker) => {
  let rabbit: Warren;
  let channel: ConfirmChannel;
  let handled = new Collector<Delivery>('handled deliveries');
  let beside = new Collector<unknown>('messages beside');
  const all: Delivery[] = [];
  const inputs = [...bodies, ...headers].filter(({ takenBy }) => (takenBy ?? broker.kind) === broker.kind);

  beforeAll(async () => {
    rabbit = kept(warren(broker.url, { maxMessageBytes: LIMIT, prefetch: 5 }));
    await rabbit
      .consume(QUEUE, (delivery) => handled.push(delivery), {
        bindings: [{ exchange: { name: EXCHANGE, type: 'fanout' } }],
      })
      .consume('beside', ({ payload }) => beside.push(payload))
      .open();
  });
  afterAll(() => rabbit.broker.close());
  afterEach(() => {
    all.push(...handled.all);
    handled = new Collector('handled deliveries');
    beside = new Collector('messages beside');
  });

  const raw = async (): Promise<ConfirmChannel> => {
    channel = await (await broker.connect()).createConfirmChannel();
    await channel.assertQueue('victim');
    return channel;
  };
  const outcomes = (): Delivery[] =>
    rabbit.events.all.flatMap((event) => (event.kind === 'settled' && event.onTime ? [event.delivery] : []));

  it.each(inputs.map((bad): [string, BadDelivery] => [bad.name, bad]))('%s', async (_, bad) => {
    const before = outcomes().length;
    await raw();
    await deliver(channel, EXCHANGE, QUEUE, bad);
    const neighbour = rabbit.broker.send('beside', bad.name);
    await deliver(channel, EXCHANGE, QUEUE, {
      name: 'good',
      content: GOOD,
      properties: { contentType: 'application/json' },
      outcome: { payload: 'good' },
    });
    if ('dead' in bad.outcome) {
      const dead = await until(() => channel.get(`${QUEUE}.dead`, { noAck: true }), 'the dead letter');
      expect(dead.content.equals(bad.content)).toBe(true);
      expect(dead.properties.contentEncoding).toBe(bad.properties?.contentEncoding);
      expect(dead.properties.headers).toMatchObject({
        'x-warren-reason': bad.outcome.dead,
        'x-warren-queue': QUEUE,
        'x-warren-attempt': 0,
      });
    } else {
      const { payload } = await handled.one();
      expect(payload).toEqual(bad.outcome.payload);
    }
    expect((await handled.one()).payload).toBe('good');
    await neighbour;
    expect(await beside.one()).toBe(bad.name);
    await until(() => outcomes().length >= before + 3, 'all three to be settled');
    expect(outcomes()).toHaveLength(before + 3);
  });

  it('afterwards nothing is left over, nothing was lost on the way, and nothing was polluted or forged', async () => {
    await raw();
    for (const queue of [QUEUE, `${QUEUE}.dead`, 'victim']) expect(await count(broker, queue)).toBe(0);
    const kinds = new Set(rabbit.events.all.map(({ kind }) => kind));
    for (const kind of ['disconnected', 'consumer-lost', 'forward-failed'] as const)
      expect(kinds).not.toContain(kind);
    expect(all.length + inputs.filter(({ outcome }) => 'dead' in outcome).length).toBe(2 * inputs.length);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    for (const delivery of all) {
      expect((delivery.headers as { polluted?: unknown }).polluted).toBeUndefined();
    }
    for (const line of rabbit.lines) expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
  });
});
