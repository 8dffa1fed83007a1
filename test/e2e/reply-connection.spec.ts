// Answers have a connection of their own: RabbitMQ closes the one that publishes to some reply addresses, however well
// they are made, and nothing else may suffer for that.

import { expect, it } from '@jest/globals';
import { systemClock } from '@warren/amqp';
import { onEachBroker, type TestBroker } from '../support/brokers.js';
import { Collector, until, within } from '../support/events.js';
import { count, logged, warren } from '../support/warren.js';

/** An address such as RabbitMQ makes them, on a node that does not exist: Erlang's external form of a process. */
function forged(key: number): string {
  const node = Buffer.from('reply@1');
  const numbers = Buffer.from([0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
  const pid = Buffer.concat([Buffer.from([131, 88, 118, 0, node.length]), node, numbers]);
  return `amq.rabbitmq.reply-to.${pid.toString('base64')}.${Buffer.alloc(16, key).toString('base64')}`;
}

async function ask(broker: TestBroker, queue: string, replyTo: string): Promise<void> {
  const channel = await (await broker.connect()).createConfirmChannel();
  channel.publish('', queue, Buffer.from('1'), {
    replyTo,
    correlationId: 'x',
    contentType: 'application/json',
  });
  await channel.waitForConfirms();
}

onEachBroker('a reply address that kills the connection which uses it', (broker) => {
  it('costs only answers time: publishes and consumers go on, no request comes twice, other calls are answered', async () => {
    const runs = new Collector<unknown>();
    const server = await warren(broker.url)
      .rpc('killed', async (delivery) => {
        runs.push(delivery.message.redelivered);
        return delivery.payload;
      })
      .open();
    const client = await warren(broker.url).open();
    const FORGED = 2;
    const { serverProperties } = (await broker.connect()).connection;
    // RabbitMQ 4 drops such an answer, or delivers it to nobody.
    const lost3 = String(serverProperties.version).startsWith('3.') ? FORGED : 0;
    let [going, answered] = [true, 0];
    const caller = async (): Promise<void> => {
      while (going) {
        expect(await client.broker.request('killed', 2)).toBe(2);
        answered++;
      }
    };
    const callers = [1, 2, 3, 4].map(caller);
    for (let n = 1; n <= FORGED; n++) await ask(broker, 'killed', forged(n));
    await until(() => server.broker.status().counters.repliesLost >= lost3, 'the forged ones to be given up');
    const before = answered;
    await until(() => answered > before + 20, 'calls to be answered afterwards');
    going = false;
    await within(Promise.all(callers), 'every call to be answered');

    const lost = server.events.all.flatMap((event) =>
      event.kind === 'disconnected' ? [event.connection] : [],
    );
    expect(server.broker.status().counters.repliesLost).toBe(lost3);
    expect(lost.filter((name) => name !== 'test:first-reply')).toEqual([]);
    expect(runs.all.filter((redelivered) => redelivered)).toEqual([]);
    expect(await count(broker, 'killed')).toBe(0);
    if (lost3 > 0) await logged(server, 'was not delivered');
  });

  it('does not bring its request back for ever when it had to wait either', async () => {
    const runs = new Collector<() => void>();
    let moved = 0;
    const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + moved };
    const server = await warren(broker.url, {}, { clock })
      .rpc('waited', () => new Promise<void>((resolve) => runs.push(resolve)), { concurrency: 1 })
      .open();
    await ask(broker, 'waited', 'amq.rabbitmq.reply-to.gone');
    const first = await runs.one();
    await ask(broker, 'waited', forged(1));
    await until(() => server.broker.status().consumers[0].inFlight === 2, 'both to be there');
    // The second one has waited long enough to be asked about.
    moved = 1_000;
    first();
    (await runs.one())();
    await until(() => server.broker.status().consumers[0].inFlight === 0, 'both to be settled');
    expect(await count(broker, 'waited')).toBe(0);
    expect(server.broker.status().counters).toMatchObject({ consumersLost: 0, staleSettlements: 0 });
  });
});

onEachBroker('the connection for answers', (broker) => {
  it('is there with RPC handlers only, and a loss of it loses no answer', async () => {
    const plain = await warren(broker.url)
      .consume('no.answers', () => 1)
      .open();
    expect(plain.broker.status().connections.map(({ name }) => name)).toEqual([
      'test:consume',
      'test:publish',
    ]);

    const server = await warren(broker.url)
      .rpc('answers', ({ payload }) => payload)
      .open();
    expect(server.broker.status().connections.map(({ name, state }) => [name, state])).toEqual([
      ['test:consume', 'open'],
      ['test:publish', 'open'],
      ['test:reply', 'open'],
    ]);
  });
});
