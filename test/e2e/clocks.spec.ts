// Machines whose clocks are wrong, and clocks that are set while something is under way: nothing fails, hangs or ends
// early for it. Durations are measured with a clock that nobody can set.

import { describe, expect, it } from '@jest/globals';
import { systemClock, type Clock, type Delivery } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { rejection, replying, warren } from '../support/warren.js';

const HOUR = 3_600_000;

/** The wall clock is off by so much. */
function off(by: number): Clock {
  return { ...systemClock, wall: () => systemClock.wall() + by };
}

/** Ends when it is told to stop. */
const patient = ({ signal }: Delivery): Promise<unknown> =>
  new Promise((_resolve, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
  );

async function* three(): AsyncGenerator<number> {
  for (let n = 1; n <= 3; n++) yield await Promise.resolve(n);
}

onEachBroker('clocks', (broker) => {
  describe.each([
    ['an hour ahead of its callers', HOUR],
    ['an hour behind its callers', -HOUR],
    ['ahead by less than the time of a call', 1_500],
  ])('a server %s', (_what, by) => {
    it('answers calls, retries them and streams', async () => {
      let attempts = 0;
      const server = await warren(broker.url, {}, { clock: off(by) })
        .rpc('off.echo', ({ payload }) => payload)
        .rpc('off.count', three)
        .rpc(
          'off.retried',
          () => {
            if (++attempts < 3) throw new Error('not yet');
            return attempts;
          },
          { retry: { delays: 50, attempts: 5, jitter: false } },
        )
        .rpc('off.gone', ({ payload }) => payload, { ifCallerGone: 'skip' })
        .open();
      const { broker: caller } = warren(broker.url);
      const timeout = '20s';
      expect(await caller.request('off.echo', 'x', { timeout })).toBe('x');
      expect(await caller.request('off.gone', 'x', { timeout })).toBe('x');
      expect(await caller.request('off.retried', 0, { timeout })).toBe(3);
      const items: unknown[] = [];
      for await (const item of caller.stream('off.count', 0, { timeout })) items.push(item);
      expect(items).toEqual([1, 2, 3]);
      expect(server.events.all.filter(({ kind }) => kind === 'call-skipped')).toEqual([]);
    });

    it('gives a handler the time that its caller waits, and the calls that it makes no more', async () => {
      const runs = new Collector<Delivery>('runs');
      const server = warren(broker.url, {}, { clock: off(by) });
      await server
        .rpc('off.nested', (delivery) =>
          server.broker.request('off.slow', 1, { timeout: '1m' }).finally(() => runs.push(delivery)),
        )
        .rpc('off.streaming', async (delivery) => {
          runs.push(delivery);
          const items: unknown[] = [];
          for await (const item of server.broker.stream('off.three', 0)) items.push(item);
          return items;
        })
        .rpc('off.three', three)
        .open();
      const other = await warren(broker.url).rpc('off.slow', patient).open();
      const { broker: caller } = warren(broker.url);
      expect(await caller.request('off.streaming', 0, { timeout: '20s' })).toEqual([1, 2, 3]);
      expect((await runs.one()).run.deadline).toBeGreaterThan(systemClock.monotonic());
      const failed = await rejection(caller.request('off.nested', 1, { timeout: 1_500 }));
      expect(failed.code).toBe('WARREN_RPC_TIMEOUT');
      await until(() => (runs.size === 2 ? true : undefined), 'the nested call to end');
      await until(() => other.broker.status().timers === 0, 'no timer to be left');
    });
  });

  it.each([
    ['back', -HOUR],
    ['forward', HOUR],
  ])('set %s by an hour change no deadline that is under way', async (_what, by) => {
    let set = 0;
    const clock: Clock = { ...systemClock, wall: () => systemClock.wall() + set };
    const started = new Collector<Delivery>('handlers');
    const rabbit = await warren(broker.url, {}, { clock })
      .rpc('off.slow', (delivery) => (started.push(delivery), patient(delivery)))
      .rpc('off.while', () => new Promise((resolve) => void (answer = resolve)))
      .consume('off.limited', (delivery) => (started.push(delivery), patient(delivery)), {
        timeout: 300,
        retry: false,
      })
      .open();
    let answer: (value: string) => void = () => undefined;
    await replying(rabbit);
    const began = performance.now();
    const calls = [
      rejection(rabbit.broker.request('off.slow', 1, { timeout: 1_500 })),
      rabbit.broker.request('off.while', 1, { timeout: '20s' }),
      rabbit.broker.send('off.limited', 1),
    ] as const;
    await started.take(2);
    set = by;
    expect((await calls[0]).code).toBe('WARREN_RPC_TIMEOUT');
    await until(() => rabbit.events.all.some(({ kind }) => kind === 'handled'), 'the time-outs of handlers');
    expect(performance.now() - began).toBeGreaterThan(250);
    answer('still there');
    expect(await calls[1]).toBe('still there');
    await calls[2];
    await until(() => rabbit.broker.status().timers === 0, 'no timer to be left');
  });
});
