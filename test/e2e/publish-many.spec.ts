// Lists of messages with one promise: what became of each, in the order of the list, also when the connection is lost.

import { afterEach, describe, expect, it } from '@jest/globals';
import type { MessageOutcome } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { Tap } from '../support/tap.js';
import { Collector } from '../support/events.js';
import { count, warren } from '../support/warren.js';

const ALL = 10_000;

const taps: Tap[] = [];
afterEach(() => taps.splice(0).forEach((tap) => tap.cut()));

const numbered = (target: string, length = ALL): { target: string; payload: number }[] =>
  Array.from({ length }, (_, payload) => ({ target, payload }));

const codes = (outcomes: readonly MessageOutcome[]): Record<string, number> => {
  const found: Record<string, number> = {};
  for (const { error } of outcomes) {
    const code = error ? ((error as { code?: string }).code ?? error.name) : 'confirmed';
    found[code] = (found[code] ?? 0) + 1;
  }
  return found;
};

onEachBroker('a list of messages', (broker) => {
  const declareQueue = async (queue: string, type: 'classic' | 'quorum' = 'classic'): Promise<void> => {
    const channel = await (await broker.connect()).createChannel();
    await channel.assertQueue(queue, { arguments: { 'x-queue-type': type } });
  };

  it('of ten thousand is confirmed, each message with an id of its own', async () => {
    await declareQueue('all');
    const { broker: client } = await warren(broker.url).open();
    const outcomes = await client.sendMany(numbered('all'), { persistent: false });
    expect(codes(outcomes)).toEqual({ confirmed: ALL });
    expect(new Set(outcomes.map(({ receipt }) => receipt?.messageId)).size).toBe(ALL);
    expect(await count(broker, 'all')).toBe(ALL);
  });

  it('arrives in its order', async () => {
    const got = new Collector<unknown>();
    const rabbit = await warren(broker.url)
      .consume('order', ({ payload }) => got.push(payload), { concurrency: 1 })
      .open();
    const list = numbered('order', 2_500);
    expect(codes(await rabbit.broker.sendMany(list))).toEqual({ confirmed: list.length });
    expect(await got.take(list.length)).toEqual(list.map(({ payload }) => payload));
  });

  it('to a quorum queue, too', async () => {
    await declareQueue('replicated', 'quorum');
    const { broker: client } = warren(broker.url);
    expect(codes(await client.sendMany(numbered('replicated', 3_000)))).toEqual({ confirmed: 3_000 });
    expect(await count(broker, 'replicated')).toBe(3_000);
  });

  it('may be longer than the publish buffer, from before the first connection on', async () => {
    await declareQueue('small');
    const { broker: client } = warren(broker.url, { publish: { buffer: { messages: 10, bytes: 1_000 } } });
    const lists = [0, 1].map(() => client.sendMany(numbered('small', 200)));
    const outcomes = (await Promise.all(lists)).flat();
    expect(codes(outcomes)).toEqual({ confirmed: 400 });
    expect(await count(broker, 'small')).toBe(400);
  });

  it('tells unroutable messages, and a missing exchange, from the others', async () => {
    await declareQueue('some');
    const { broker: client } = await warren(broker.url).open();
    const list = Array.from({ length: 3_000 }, (_, n) => ({
      target: n % 3 === 0 ? 'none' : 'some',
      payload: n,
    }));
    const outcomes = await client.sendMany(list);
    expect(codes(outcomes)).toEqual({ confirmed: 2_000, WARREN_UNROUTABLE: 1_000 });
    expect(outcomes.every(({ error }, n) => (error !== undefined) === (n % 3 === 0))).toBe(true);
    const mixed = await client.publishMany([
      { target: 'some', payload: 1, options: { exchange: '' } },
      { target: 'key', payload: 2, options: { exchange: 'no.such.exchange' } },
      { target: 'key', payload: 3 },
    ]);
    expect(codes(mixed)).toEqual({ confirmed: 2, WARREN_TOPOLOGY_MISSING: 1 });
    expect(mixed.map(({ receipt }) => receipt?.routed)).toEqual([true, undefined, false]);
    expect(await count(broker, 'some')).toBe(2_001);
  });

  it('is seen by plugins and listeners message by message', async () => {
    await declareQueue('seen');
    const kinds: string[] = [];
    const rabbit = warren(broker.url, {
      plugins: [
        {
          name: 'seer',
          publish: (next) => (message) => {
            kinds.push(message.kind);
            return next(message.with({ headers: { seen: true } }));
          },
        },
      ],
    });
    const told = new Collector<string>();
    rabbit.broker.on(({ outcome }) => told.push(outcome), ['published']);
    expect(codes(await rabbit.broker.sendMany(numbered('seen', 1_500)))).toEqual({ confirmed: 1_500 });
    expect(kinds).toEqual(Array(1_500).fill('send'));
    expect(await told.take(1_500)).toEqual(Array(1_500).fill('confirmed'));
  });

  describe.each([true, false])('with retryUnknown: %s', (retryUnknown) => {
    it('says of each message what became of it when the connection is cut in the middle', async () => {
      const queue = `cut.${retryUnknown}`;
      await declareQueue(queue);
      const tap = await Tap.open(broker.url);
      taps.push(tap);
      const rabbit = await warren(tap.url, { publish: { retryUnknown } }).open();
      let heard = 0;
      rabbit.broker.on(() => {
        if (++heard === 3_000) tap.reset();
      }, ['published']);
      const outcomes = await rabbit.broker.sendMany(numbered(queue), { persistent: false });
      const { confirmed = 0, WARREN_PUBLISH_UNKNOWN: unknown = 0, ...others } = codes(outcomes);
      expect(others).toEqual({});
      expect(confirmed + unknown).toBe(ALL);
      expect(unknown > 0).toBe(!retryUnknown);
      const resent = outcomes.filter(({ receipt }) => receipt?.resent).length;
      expect(resent > 0).toBe(retryUnknown);
      expect(await count(broker, queue)).toBeGreaterThanOrEqual(confirmed);
      expect(await count(broker, queue)).toBeLessThanOrEqual(ALL + resent);
    });
  });
});
