// Topology first, then messages: nothing that a process publishes meets its own queues, exchanges and bindings missing,
// whichever of its connections comes first; and what somebody deletes comes back.

import { describe, expect, it } from '@jest/globals';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until, within } from '../support/events.js';
import { eventOf, logged, rejection, warren, type Warren } from '../support/warren.js';

const ROUNDS = 50;

/** Sends and publishes to the process's own handlers; what became of each. */
async function outcomes({ broker }: Warren, rounds = ROUNDS): Promise<string[]> {
  const sent = Array.from({ length: rounds }, (_, n) => [
    broker.send('own.queue', n).then(
      () => 'sent',
      (error: { code: string }) => error.code,
    ),
    broker.publish('own.event', n).then(
      ({ routed }) => (routed ? 'routed' : 'nobody'),
      (error: { code: string }) => error.code,
    ),
  ]);
  return [...new Set(await within(Promise.all(sent.flat()), 'every publish to settle', 20_000))].sort();
}

/** A URL that the second of two connections to ask gets only when the other one is open. */
function inOrder(url: () => string, first: 'publish' | 'consume') {
  let rabbit: Warren | undefined;
  let asked = 0;
  return {
    /** The publish connection is asked for first, since it is started first. */
    url: async (): Promise<string> => {
      const role = asked++ % 2 === 0 ? 'publish' : 'consume';
      if (role !== first) {
        const opened = (): boolean =>
          rabbit?.events.all.some(
            (event) => event.kind === 'connected' && event.connection.endsWith(first),
          ) ?? false;
        await Promise.race([until(opened, `${first} to connect`).catch(() => undefined), soon()]);
      }
      return url();
    },
    watch: (made: Warren): Warren => (rabbit = made),
  };
}

/** A connection that waits for the topology cannot be waited for. */
function soon(): Promise<void> {
  const since = performance.now();
  // waits: one connection is to be held back for a while
  return until(() => performance.now() - since > 300, 'some time to pass').then(() => undefined);
}

const withHandlers = (rabbit: Warren): Warren =>
  rabbit.consume('own.queue', () => undefined).subscribe('own.*', () => undefined);

onEachBroker('topology before messages', (broker) => {
  it.each(['publish', 'consume'] as const)(
    'at a start in the background whose %s connection comes first',
    async (first) => {
      const url = await broker.addVhost();
      const order = inOrder(() => url, first);
      const rabbit = order.watch(withHandlers(warren(order.url as never, { startup: 'background' })));
      await rabbit.open();
      expect(await outcomes(rabbit)).toEqual(['routed', 'sent']);
    },
  );

  it('for what is published before open()', async () => {
    const rabbit = withHandlers(warren(await broker.addVhost()));
    const early = await outcomes(rabbit);
    expect(early).toEqual(['routed', 'sent']);
    await rabbit.open();
    expect(await outcomes(rabbit, 1)).toEqual(['routed', 'sent']);
  });

  it('when the broker comes back empty', async () => {
    let current = await broker.addVhost();
    const rabbit = await withHandlers(warren((() => Promise.resolve(current)) as never)).open();
    for (let life = 1; life <= 3; life++) {
      current = await broker.addVhost();
      const lost = rabbit.broker.status().counters.connectionsLost;
      const closed = broker.closeConnections();
      await until(
        () => rabbit.broker.status().counters.connectionsLost === lost + 2,
        'both connections to be lost',
      );
      expect(await outcomes(rabbit)).toEqual(['routed', 'sent']);
      await closed;
      await until(
        () => rabbit.broker.status().connections.every(({ state }) => state === 'open'),
        'all connections',
      );
    }
  });

  it('does not hold up what goes elsewhere, nor processes that only publish', async () => {
    const channel = await (await broker.connect()).createChannel();
    await channel.assertQueue('of.others');
    const rabbit = warren(broker.url, { startup: 'background' }).consume('own.queue', () => undefined);
    await rabbit.open();
    await within(rabbit.broker.send('of.others', 1), 'a message for others');
    const publisher = warren(broker.url);
    await within(publisher.broker.send('of.others', 1), 'a message of a publisher');
  });

  it('lets messages go when the broker refuses a part of it', async () => {
    const url = await broker.addVhost();
    const channel = await (await broker.connect({ url })).createChannel();
    await channel.assertQueue('made.otherwise', { maxLength: 5 });
    const rabbit = withHandlers(warren(url, { startup: 'background' })).consume('made.otherwise', () => 1);
    await rabbit.open();
    expect(await outcomes(rabbit)).toEqual(['routed', 'sent']);
    await logged(rabbit, 'made.otherwise');
  });

  it('names the log when the own queue is the refused part, and does not ask to start its consumer', async () => {
    const rabbit = warren(await broker.addVhost(), { startup: 'background' });
    rabbit.consume('own.refused', () => 1, { arguments: { 'x-expires': 0 } });
    await rabbit.open();
    const error = await rejection(rabbit.broker.send('own.refused', 1));
    expect(error).toMatchObject({ code: 'WARREN_UNROUTABLE' });
    expect((error as Error).message).toMatch(
      /^queue 'own\.refused' does not exist: message \S+ was returned/,
    );
    expect((error as Error).message).toContain('its log says what the broker refused');
    expect((error as Error).message).not.toMatch(/start its consumer/);
    await logged(rabbit, "the broker refuses queue 'own.refused'");
  });
});

onEachBroker('what somebody deletes', (broker) => {
  const start = async (
    watchdog: '100ms' | 0,
    kinds: readonly string[] = ['durable', 'broadcast'],
  ): Promise<{ rabbit: Warren; got: Collector<string> }> => {
    const got = new Collector<string>('events');
    const rabbit = warren(await broker.addVhost(), { watchdog }).consume('own.queue', () => undefined);
    for (const id of kinds) {
      const options = { id, broadcast: id === 'broadcast' };
      rabbit.subscribe('own.*', ({ payload }) => got.push(`${payload as string} at ${id}`), options);
    }
    await rabbit.open();
    // From then on the publisher takes the exchange and its bindings to be there.
    await rabbit.broker.publish('own.event', 'before');
    await until(() => got.size === kinds.length, 'the first event');
    return { rabbit, got };
  };
  const raw = async ({ broker: { settings } }: Warren) =>
    (await broker.connect({ url: settings.url as string })).createChannel();
  /** Publishes until every subscriber gets it. */
  const arrives = async (
    { broker: own }: Warren,
    got: Collector<string>,
    ...wanted: readonly string[]
  ): Promise<void> => {
    await until(
      async () => {
        await own.publish('own.event', 'again').catch(() => undefined);
        return wanted.every((id) => got.all.includes(`again at ${id}`));
      },
      `events to arrive at ${wanted.join(' and ')}`,
    );
  };

  describe('is found by the watchdog', () => {
    it('an exchange, with all its bindings', async () => {
      const { rabbit, got } = await start('100ms');
      await (await raw(rabbit)).deleteExchange('events');
      expect((await eventOf(rabbit, 'topology-restored')).missing).toEqual([
        { what: 'exchange', name: 'events' },
      ]);
      await logged(rabbit, "exchange 'events' had been deleted");
      await rabbit.broker.publish('own.event', 1);
      await until(() => got.size === 4, 'the event at both subscribers');
      expect(rabbit.broker.status().counters.topologyRestored).toBe(1);
    });

    it('a binding', async () => {
      const { rabbit, got } = await start('100ms');
      const channel = await raw(rabbit);
      await channel.unbindQueue(queueOf(rabbit, 'durable'), 'events', 'own.*');
      await arrives(rabbit, got, 'durable', 'broadcast');
    });

    it('a queue that nobody consumes', async () => {
      const { rabbit } = await start('100ms');
      await (await raw(rabbit)).deleteQueue('own.queue.dead');
      expect((await eventOf(rabbit, 'topology-restored')).missing).toEqual([
        { what: 'queue', name: 'own.queue.dead' },
      ]);
    });

    it('an exchange that another service made again', async () => {
      const { rabbit, got } = await start('100ms');
      const channel = await raw(rabbit);
      await channel.deleteExchange('events');
      await channel.assertExchange('events', 'topic', { durable: true });
      await arrives(rabbit, got, 'durable', 'broadcast');
    });
  });

  it('is found by a publish, without a watchdog', async () => {
    const { rabbit, got } = await start(0);
    await (await raw(rabbit)).deleteExchange('events');
    expect((await rejection(rabbit.broker.publish('own.event', 1))).code).toBe('WARREN_PUBLISH_UNKNOWN');
    await arrives(rabbit, got, 'durable', 'broadcast');
  });

  it('is found by a message that comes back, without a watchdog', async () => {
    const { rabbit, got } = await start(0, ['durable']);
    const channel = await raw(rabbit);
    await channel.unbindQueue(queueOf(rabbit, 'durable'), 'events', 'own.*');
    expect((await rabbit.broker.publish('own.event', 'lost')).routed).toBe(false);
    await arrives(rabbit, got, 'durable');
  });
});

function queueOf({ broker }: Warren, handler: string): string {
  return broker.status().consumers.find(({ handlers }) => handlers.includes(handler))?.queue ?? '';
}
