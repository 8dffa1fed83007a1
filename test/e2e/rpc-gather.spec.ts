// Calls to all instances: one answer of each, within the time that was given.

import { expect, it } from '@jest/globals';
import type { Delivery } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until, within } from '../support/events.js';
import { rejection, warren, type Warren } from '../support/warren.js';

onEachBroker('gathering', (broker) => {
  const instances = (
    count: number,
    pattern: string,
    handle: (n: number, delivery: Delivery) => unknown,
  ): Promise<Warren[]> =>
    Promise.all(
      Array.from({ length: count }, (_, n) =>
        warren(broker.url, { shutdown: 50 })
          .rpc(pattern, (delivery) => handle(n, delivery), { broadcast: true })
          .open(),
      ),
    );

  const values = (list: readonly object[]): unknown[] =>
    list.map((one) => ('value' in one ? one.value : undefined)).sort();

  it('gets the answer of every instance, and ends as soon as so many as expected are there', async () => {
    await instances(3, 'all', (n, { payload }) => `${n} ${String(payload)}`);
    const { broker: client } = warren(broker.url);
    const gathering = client.gather('all', 'x', { expect: 3, timeout: '5m' });
    const answers = await within(gathering, 'the answers');
    expect(values(answers)).toEqual(['0 x', '1 x', '2 x']);
    expect(client.status()).toMatchObject({ pendingCalls: 0, timers: 0 });
  });

  it('gets what came by the end of its time, errors as errors', async () => {
    await instances(3, 'some', (n) => {
      if (n === 0) throw new Error('no');
      return n === 1 ? 'fine' : new Promise(() => undefined);
    });
    const answers = await warren(broker.url).broker.gather('some', 1, { timeout: 2_000 });
    expect(answers).toHaveLength(2);
    expect(answers).toContainEqual({ value: 'fine' });
    expect(answers).toContainEqual({ error: expect.objectContaining({ code: 'WARREN_RPC_REMOTE' }) });
  });

  it('tells those that it does not wait for any more', async () => {
    const aborted = new Collector<number>();
    await instances(3, 'enough', (n, { signal }) =>
      n === 0
        ? 'first'
        : new Promise((resolve) => signal.addEventListener('abort', () => (aborted.push(n), resolve(n)))),
    );
    const { broker: client } = warren(broker.url);
    expect(await client.gather('enough', 1, { expect: 1, timeout: '20s' })).toEqual([{ value: 'first' }]);
    expect((await aborted.take(2)).sort()).toEqual([1, 2]);
    const controller = new AbortController();
    const cancelled = rejection(client.gather('enough', 1, { timeout: '20s', signal: controller.signal }));
    await until(() => client.status().pendingCalls === 1, 'the call to be under way');
    controller.abort();
    expect((await cancelled).code).toBe('WARREN_RPC_CANCELLED');
    expect(client.status()).toMatchObject({ pendingCalls: 0, timers: 0 });
  });

  it('knows at once that nobody listens', async () => {
    const { broker: client } = warren(broker.url);
    expect((await rejection(client.gather('nobody', 1, { timeout: '20s' }))).code).toBe(
      'WARREN_RPC_NO_SERVER',
    );
    const [instance] = await instances(1, 'left', () => 1);
    await instance.broker.close();
    expect((await rejection(client.gather('left', 1, { timeout: '20s' }))).code).toBe('WARREN_RPC_NO_SERVER');
  });

  it('counts two handlers of one instance as two, and the last item of a generator as its answer', async () => {
    await warren(broker.url)
      .rpc('twice', () => 'a', { broadcast: true })
      .open();
    const both = warren(broker.url);
    for (const id of ['one', 'other']) {
      both.broker.register({
        ...{ kind: 'rpc', id, patterns: ['pair'], options: { broadcast: true } },
        handle: async function* () {
          yield* await Promise.resolve(['no', id]);
        },
      });
    }
    await both.open();
    const { broker: client } = warren(broker.url);
    expect(values(await client.gather('pair', 1, { expect: 2, timeout: '5s' }))).toEqual(['one', 'other']);
  });

  it.each([0, -1, 1.5, NaN, Infinity])('refuses to expect %s answers', async (expected) => {
    const { broker: client } = warren(broker.url);
    expect((await rejection(client.gather('any', 1, { expect: expected }))).code).toBe('WARREN_ENCODE');
  });

  it('fails at once when the connection is lost', async () => {
    const [instance] = await instances(1, 'lost', () => new Promise(() => undefined));
    const { broker: client } = warren(broker.url);
    const lost = rejection(client.gather('lost', 1, { timeout: '20s' }));
    await until(() => instance.broker.status().consumers[0].inFlight === 1, 'the request');
    await broker.closeConnections();
    expect((await lost).code).toBe('WARREN_RPC_CONNECTION_LOST');
  });
});
