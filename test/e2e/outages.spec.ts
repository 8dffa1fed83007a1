// A broker that is away for a while: everything is back soon after it answers again, and it is not stormed meanwhile.

import { expect, it } from '@jest/globals';
import { onEachBroker, type TestBroker } from '../support/brokers.js';
import { Collector, until, within } from '../support/events.js';
import { Tap } from '../support/tap.js';
import { warren } from '../support/warren.js';

/** The promise: in ms after the broker answers. */
const SOON = 1_500;

/** What comes back beside it takes as long as so many plain clients that connect and declare: more on a busy machine. */
const CLIENTS = 20;

/** How long a plain client takes here and now, in ms. */
async function plainClient(broker: TestBroker): Promise<number> {
  const began = performance.now();
  const channel = await (await broker.connect()).createConfirmChannel();
  await channel.assertQueue('plain', { durable: true });
  channel.sendToQueue('plain', Buffer.from('1'));
  await channel.waitForConfirms();
  return performance.now() - began;
}

onEachBroker('outages', (broker) => {
  it.each([2_000, 5_000, 12_000])(
    'of %d ms are over for publishes, handlers and calls as soon as the broker answers',
    async (away) => {
      const tap = await Tap.open(broker.url);
      const got = new Collector<unknown>('messages');
      const rabbit = await warren(tap.url, { reconnect: {} })
        .consume('back', ({ payload }) => got.push(payload))
        .rpc('back.echo', ({ payload }) => payload)
        .open();
      const plain = await plainClient(broker);
      tap.cut();
      const since = performance.now();
      // waits: how long the broker is away is what is tested
      await until(() => performance.now() - since > away, 'the broker to be away', away + 10_000);
      const refused = rabbit.events.all.filter(({ kind }) => kind === 'connect-failed').length;
      const sent = rabbit.broker.send('back', 1, { timeout: '20s' });
      const called = rabbit.broker.request('back.echo', 2, { timeout: '20s' });
      await tap.back();
      await within(Promise.all([sent, called, got.one()]), 'everything to be back', SOON + CLIENTS * plain);
      // Half a second at least between two of them, and few to begin with.
      expect(refused).toBeLessThan(6 + away / 500);
      await rabbit.broker.close();
      tap.cut();
    },
    60_000,
  );
});
