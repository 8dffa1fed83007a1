// close() always ends, within `shutdown` and a little, whatever state broker and connections are in, and what it gives
// up on is told so.

import { expect, it } from '@jest/globals';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until, within } from '../support/events.js';
import { Tap } from '../support/tap.js';
import { count, rejection, warren } from '../support/warren.js';

/** What close() may take beyond `shutdown`: two seconds of politeness, and a very busy machine. */
const BESIDES = 20_000;

onEachBroker('close()', (broker) => {
  it('ends with the broker frozen while a handler runs, a publish waits and a call is under way', async () => {
    const tap = await Tap.open(broker.url);
    const started = new Collector<() => void>();
    const rabbit = await warren(tap.url, { shutdown: 300 })
      .consume('frozen.work', () => new Promise<void>((resolve) => started.push(resolve)))
      .rpc('frozen.call', () => new Promise(() => undefined))
      .open();
    await rabbit.broker.send('frozen.work', 1);
    await started.one();
    tap.shut();
    const sent = rejection(rabbit.broker.send('frozen.work', 2, { retryUnknown: true }));
    const called = rejection(rabbit.broker.request('frozen.call', 1));
    await within(rabbit.broker.close(), 'close()', 300 * 2 + BESIDES);
    expect((await sent).code).toBe('WARREN_PUBLISH_UNKNOWN');
    expect((await called).code).toMatch(/^WARREN_(RPC_)?CONNECTION_LOST$/);
    expect(rabbit.broker.status()).toMatchObject({ closing: true, timers: 0, pendingCalls: 0 });
    expect(new Set(rabbit.broker.status().connections.map(({ state }) => state))).toEqual(
      new Set(['closed']),
    );
    tap.cut();
  });

  it('ends at once while it waits for the next attempt to connect, and tells the publishes that wait', async () => {
    const tap = await Tap.open(broker.url);
    const rabbit = await warren(tap.url, { reconnect: { min: '5m', max: '5m' } })
      .consume('backoff.work', () => 1)
      .open();
    tap.cut();
    await until(
      () => rabbit.broker.status().connections.every(({ state }) => state === 'waiting'),
      'both to wait for the next attempt',
    );
    const waiting = rejection(rabbit.broker.send('backoff.work', 1));
    const [one, two] = [rabbit.broker.close(), rabbit.broker.close()];
    await within(Promise.all([one, two]), 'close()');
    expect(await waiting).toMatchObject({
      code: 'WARREN_CONNECTION_LOST',
      message: expect.stringContaining('closed before the message could be sent'),
    });
  });

  it('ends while a consumer waits for its consume-ok from a broker that froze, and open() rejects', async () => {
    const tap = await Tap.open(broker.url);
    const rabbit = warren(tap.url, { shutdown: 300 }).consume('half.open', () => 1);
    // Somewhere in the middle: after the handshakes, before everything is declared.
    tap.shutAfter(1_000);
    const opening = rejection(rabbit.open());
    await until(
      () => rabbit.broker.status().connections.some(({ state }) => state !== 'idle'),
      'the beginning',
    );
    await within(rabbit.broker.close(), 'close()', 300 * 2 + BESIDES);
    expect((await opening).code).toBe('WARREN_CONNECTION_LOST');
    tap.cut();
  });

  it('lets a handler that runs when the broker goes away and comes back publish what it has to', async () => {
    const channel = await (await broker.connect()).createChannel();
    await channel.assertQueue('outcome', { durable: true });
    const tap = await Tap.open(broker.url);
    const started = new Collector<() => void>();
    const rabbit = await warren(tap.url, { shutdown: 8_000 })
      .consume('slow.work', async () => {
        await new Promise<void>((resolve) => started.push(resolve));
        await rabbit.broker.send('outcome', 'done');
      })
      .open();
    await rabbit.broker.send('slow.work', 1);
    const finish = await started.one();
    const closing = rabbit.broker.close();
    tap.reset();
    await until(() => rabbit.broker.status().counters.connectionsLost > 1, 'the loss of both');
    finish();
    await within(closing, 'close()', 8_000 + BESIDES);
    expect(await count(broker, 'outcome')).toBe(1);
    // Its channel was gone, so its message is delivered again to somebody else.
    expect(await count(broker, 'slow.work')).toBe(1);
    tap.cut();
  });
});
