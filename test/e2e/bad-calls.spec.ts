// Whatever a server is asked and a caller is told: each request and each call has one end at once, and the next good
// one works.
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RpcRemoteError } from '@warren/amqp';
import type { Channel, ConfirmChannel, ConsumeMessage } from 'amqplib';
import {
  ANSWERS,
  LIMIT,
  replies,
  requests,
  SERVED,
  type BadReply,
  type BadRequest,
} from '../support/bad-calls.js';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { count, eventOf, kept, rejection, warren, type Warren } from '../support/warren.js';

const throwing = (): never => {
  throw new Error('looked at');
};
const thrown: Record<string, unknown> = {
  secret: new Error('SELECT secret FROM table'),
  text: 'secret',
  nothing: undefined,
  frozen: Object.freeze(new Error('secret')),
  proxy: new Proxy({}, { get: throwing, getPrototypeOf: throwing, ownKeys: throwing }),
  getters: Object.defineProperties(new Error('x'), { message: { get: throwing }, code: { get: throwing } }),
};
const circular: Record<string, unknown> = {};
circular.self = circular;
const returned: Record<string, unknown> = {
  circular,
  bigint: 1n,
  function: () => 1,
  symbol: Symbol('x'),
  large: 'x'.repeat(LIMIT + 1),
};

function serve(payload: unknown): unknown {
  const what = (payload as { do?: string } | null | undefined)?.do;
  if (what === undefined) return payload;
  if (what.startsWith('throw ')) throw thrown[what.slice(6)];
  return returned[what];
}

onEachBroker('bad calls', (broker) => {
  let rabbit: Warren;
  const runs = new Collector<unknown>('runs');

  beforeAll(async () => {
    rabbit = kept(warren(broker.url, { maxMessageBytes: LIMIT, rpc: { replyTo: 'any' } }));
    await rabbit.rpc(SERVED, ({ payload }) => (runs.push(payload), serve(payload))).open();
  });
  afterAll(() => rabbit.broker.close());

  const unharmed = (): void => {
    const kinds = new Set(rabbit.events.all.map(({ kind }) => kind));
    for (const kind of ['disconnected', 'consumer-lost'] as const) expect(kinds).not.toContain(kind);
    expect(rabbit.broker.status().pendingCalls).toBe(0);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    for (const line of rabbit.lines) expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
  };

  describe('requests', () => {
    const settled = (): number => rabbit.events.all.filter(({ kind }) => kind === 'settled').length;

    it.each(requests.map((bad): [string, BadRequest] => [bad.name, bad]))('%s', async (_, bad) => {
      const channel: ConfirmChannel = await (await broker.connect()).createConfirmChannel();
      await channel.assertQueue(ANSWERS);
      const before = settled();
      channel.sendToQueue(SERVED, bad.content, bad.properties);
      await channel.waitForConfirms();
      expect(await rabbit.broker.request(SERVED, 'good')).toBe('good');
      await until(() => settled() >= before + 2, 'both requests to be settled');
      const answer = await channel.get(ANSWERS, { noAck: true });
      if (bad.answer === 'none') {
        expect(answer).toBe(false);
      } else if (answer) {
        const text = answer.content.toString();
        const { headers, correlationId } = answer.properties;
        expect(correlationId).toBe(bad.properties.correlationId);
        expect(text).not.toMatch(/secret|stack/);
        expect(Object.keys(headers ?? {}).filter((name) => name !== 'x-rpc-error')).toEqual([]);
        expect(text === '' ? undefined : JSON.parse(text)).toEqual(
          'error' in bad.answer ? expect.objectContaining({ code: bad.answer.error }) : bad.answer.value,
        );
        expect(Boolean(headers?.['x-rpc-error'])).toBe('error' in bad.answer);
      } else throw new Error('there is no answer');
      expect(settled()).toBe(before + 2);
      unharmed();
    });

    it('of all that, nothing came twice and nothing is left over', async () => {
      expect(await count(broker, SERVED)).toBe(0);
      expect(runs.all.filter((payload) => payload === 'good')).toHaveLength(requests.length);
    });

    it('the address of a caller that has gone is no harm', async () => {
      const caller = await broker.connect();
      const channel = await caller.createChannel();
      await channel.assertQueue('addresses');
      await channel.consume('amq.rabbitmq.reply-to', () => undefined, { noAck: true });
      channel.sendToQueue('addresses', Buffer.from('1'), { replyTo: 'amq.rabbitmq.reply-to' });
      const other = await (await broker.connect()).createChannel();
      const known = await until(() => other.get('addresses', { noAck: true }), 'the request');
      await caller.close();
      const { replyTo } = known.properties as { replyTo: string };
      other.sendToQueue(SERVED, Buffer.from('1'), { replyTo, contentType: 'application/json' });
      expect(await rabbit.broker.request(SERVED, 'good')).toBe('good');
      unharmed();
    });
  });

  describe('replies', () => {
    let next: BadReply | undefined;
    const served = new Collector<ConsumeMessage>('requests');

    const server = async (): Promise<Channel> => {
      const channel = await (await broker.connect()).createChannel();
      await channel.assertQueue('foreign', { autoDelete: true });
      await channel.consume(
        'foreign',
        (request) => {
          if (!request) return;
          served.push(request);
          const { replyTo, correlationId } = request.properties as { replyTo: string; correlationId: string };
          if (next) channel.publish('', replyTo, next.content, { ...next.properties, correlationId });
        },
        { noAck: true },
      );
      return channel;
    };

    it.each(replies.map((bad): [string, BadReply] => [bad.name, bad]))('%s', async (_, bad) => {
      await server();
      next = bad;
      const began = performance.now();
      const call = rabbit.broker.request('foreign', 1);
      if ('error' in bad.outcome) {
        const error = await rejection<RpcRemoteError>(call);
        expect(error.code).toBe(bad.outcome.error);
        if (bad.outcome.text) expect(error.remoteMessage).toMatch(bad.outcome.text);
      } else expect(await call).toEqual(bad.outcome.value);
      expect(performance.now() - began).toBeLessThan(15_000);
      expect(await rabbit.broker.request(SERVED, 'good')).toBe('good');
      unharmed();
    });

    it('2 000 replies that nobody waits for cost nothing but their events', async () => {
      const channel = await server();
      next = undefined;
      const call = rabbit.broker.request('foreign', 1);
      const { properties } = (await served.take(replies.length + 1))[replies.length];
      for (let n = 0; n < 2_000; n++) {
        channel.publish('', properties.replyTo as string, Buffer.from('1'), {
          correlationId: `unknown ${n}`,
        });
      }
      channel.publish('', properties.replyTo as string, Buffer.from('7'), {
        correlationId: properties.correlationId as string,
      });
      expect(await call).toBe(7);
      for (let n = 0; n < 2_000; n++) await eventOf(rabbit, 'reply-ignored');
      unharmed();
    });
  });
});
