// Attacks on calls by who serves one of them, or may publish to a queue of ours: a server that answered one call knows the
// address for replies of its caller and one correlation id. That must be worth nothing for the other calls.

import { describe, expect, it } from '@jest/globals';
import type { Channel } from 'amqplib';
import type { Delivery } from '@warren/amqp';
import { onEachBroker, type TestBroker } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { warren } from '../support/warren.js';

/** Ids that somebody would try who has seen these. */
function guesses(seen: readonly string[]): string[] {
  return seen.flatMap((id) => {
    const near: string[] = [];
    for (let at = 0; at < id.length; at++) {
      for (const step of [-2, -1, 1, 2]) {
        near.push(id.slice(0, at) + String.fromCharCode(id.charCodeAt(at) + step) + id.slice(at + 1));
      }
    }
    const [prefix, counted] = id.split('.');
    const next = parseInt(counted ?? '', 36);
    for (let n = 1; n <= 50 && Number.isFinite(next); n++) near.push(`${prefix}.${(next + n).toString(36)}`);
    return near;
  });
}

async function attacker(broker: TestBroker): Promise<Channel> {
  const channel = await (await broker.connect()).createChannel();
  channel.on('error', () => undefined);
  return channel;
}

describe.each(['direct', 'queue'] as const)('with replies by %s', (reply) => {
  onEachBroker('a server of one call', (broker) => {
    it('cannot answer the others of its caller', async () => {
      const seen = new Collector<Delivery>();
      let release = (balance: number): void => void balance;
      const balance = new Promise<number>((resolve) => (release = resolve));
      const bank = new Collector<Delivery>();
      const server = await warren(broker.url)
        .rpc('evil', (delivery) => void seen.push(delivery))
        .rpc('bank', (delivery) => (bank.push(delivery), balance))
        .open();
      const client = warren(broker.url, { rpc: { reply } });
      for (let n = 0; n < 5; n++) await client.broker.request('evil', n);
      const asked = client.broker.request('bank', 'balance');
      await bank.one();
      const channel = await attacker(broker);
      const { replyTo = '' } = seen.all[0].message.properties;
      expect(bank.all[0].message.properties.replyTo).toBe(replyTo);
      const tried = guesses(seen.all.map(({ message }) => message.properties.correlationId ?? ''));
      for (const correlationId of tried) {
        channel.publish('', replyTo, Buffer.from('1000000'), {
          correlationId,
          contentType: 'application/json',
        });
      }
      await until(
        () => client.broker.status().counters.repliesIgnored >= tried.length,
        'the forged replies to be there',
      );
      release(7);
      expect(await asked).toBe(7);
      expect(server.broker.status().counters.repliesLost).toBe(0);
    });
  });
});

onEachBroker('whoever may publish to the exchange for cancels', (broker) => {
  it('cannot end calls that he knows nothing of, neither before they come nor while they run', async () => {
    const seen = new Collector<Delivery>();
    const running = new Collector<Delivery>();
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const server = await warren(broker.url)
      .rpc('seen', (delivery) => void seen.push(delivery))
      .rpc('quick', ({ payload }) => payload)
      .rpc('slow', async (delivery) => (running.push(delivery), await released, 'done'))
      .open();
    const client = warren(broker.url);
    for (let n = 0; n < 5; n++) await client.broker.request('seen', n);
    const slow = client.broker.request('slow', 1);
    await running.one();
    const channel = await attacker(broker);
    const cancel = (id: string): void => {
      for (const key of ['.slow', '.quick', '.seen']) {
        channel.publish('warren.calls', key, Buffer.from(JSON.stringify({ kind: 'cancel', id })));
      }
    };
    const ids = seen.all.map(({ message }) => message.properties.correlationId ?? '');
    for (const id of guesses(ids)) cancel(id);
    // After these in the same queue: an own call that is given up.
    const controller = new AbortController();
    const own = client.broker.request('slow', 2, { signal: controller.signal }).catch(() => 'left');
    const ours = await running.one();
    await channel.checkExchange('warren.calls');
    controller.abort();
    await own;
    await until(() => ours.signal.aborted, 'the own cancel to arrive');
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, n) => client.broker.request('quick', n)),
    );
    expect(answers).toEqual(Array.from({ length: 300 }, (_, n) => n));
    expect(running.all[0].signal.aborted).toBe(false);
    release();
    expect(await slow).toBe('done');
    expect(server.events.all.filter(({ kind }) => kind === 'call-skipped')).toEqual([]);
  });
});
