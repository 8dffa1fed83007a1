// Losses one by one, and how long each takes to be over: forced close, reset, silence, a channel that dies, a queue that
// somebody made otherwise meanwhile. What is not hit goes on.

import { expect, it } from '@jest/globals';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until, within } from '../support/events.js';
import { Tap } from '../support/tap.js';
import { eventOf, logged, rejection, warren, type Warren } from '../support/warren.js';

/** Seen at once and not by two missed heartbeats of ten seconds; the rest is for a busy machine. */
const BACK = 15_000;

onEachBroker('a loss', (broker) => {
  const back = async (rabbit: Warren, got: Collector<unknown>, queue: string): Promise<number> => {
    const since = performance.now();
    const sent = await rabbit.broker.send(queue, 'back', { retryUnknown: true });
    expect(sent.routed).toBe(true);
    await until(() => got.all.includes('back'), 'the message to be consumed');
    return performance.now() - since;
  };

  it('by a reset in the middle is over soon, with the default waits between attempts', async () => {
    const tap = await Tap.open(broker.url);
    const got = new Collector<unknown>();
    const rabbit = await warren(tap.url, { reconnect: {} })
      .consume('reset.one', ({ payload }) => got.push(payload))
      .open();
    tap.reset();
    expect(await back(rabbit, got, 'reset.one')).toBeLessThan(BACK);
    expect(rabbit.broker.status().counters).toMatchObject({ connectionsLost: 2, consumersLost: 1 });
    const waits = rabbit.events.all.flatMap((event) =>
      event.kind === 'connect-failed' ? [event.retryIn] : [],
    );
    for (const wait of waits) expect(wait).toBeGreaterThanOrEqual(100);
    tap.cut();
  });

  it('by silence is noticed after two heartbeats, and calls under way end then', async () => {
    const tap = await Tap.open(broker.url);
    const got = new Collector<unknown>();
    const rabbit = await warren(tap.url, { heartbeat: 1_000 })
      .consume('silent.one', ({ payload }) => got.push(payload))
      .open();
    const never = rejection(rabbit.broker.request('silent.one', 'call', { timeout: '5m' }));
    await until(() => got.all.includes('call'), 'the request to arrive');
    tap.shut();
    const since = performance.now();
    const error = await within(never, 'the call to end');
    expect(error.code).toBe('WARREN_RPC_CONNECTION_LOST');
    // Two heartbeats and a second, and what a very busy machine takes.
    expect(performance.now() - since).toBeLessThan(15_000);
    tap.reset();
    await back(rabbit, got, 'silent.one');
    tap.cut();
  });

  it('of a channel costs only its own consumer', async () => {
    const [hit, spared] = [new Collector<unknown>(), new Collector<unknown>()];
    const tap = await Tap.open(broker.url);
    const wrongly = acksWrongly(tap, 'channel.hit');
    const rabbit = await warren(tap.url)
      .consume('channel.hit', ({ payload }) => hit.push(payload))
      .consume('channel.spared', ({ payload }) => spared.push(payload))
      .open();
    await eventOf(rabbit, 'consumer-ready');
    // A mistake on its channel, such as an unknown delivery tag, is what a broken proxy or client library makes.
    wrongly();
    expect((await eventOf(rabbit, 'consumer-lost')).queue).toBe('channel.hit');
    await eventOf(rabbit, 'consumer-ready');
    await rabbit.broker.send('channel.hit', 1);
    await rabbit.broker.send('channel.spared', 2);
    expect([await hit.one(), await spared.one()]).toEqual([1, 2]);
    expect(rabbit.broker.status().counters).toMatchObject({ connectionsLost: 0, consumersLost: 1 });
  });

  it('during which a queue was made otherwise is said, hurts no other consumer, and ends with its cause', async () => {
    const tap = await Tap.open(broker.url);
    const got = new Collector<unknown>();
    const rabbit = await warren(tap.url)
      .consume('made.otherwise', ({ payload }) => got.push(payload))
      .consume('made.well', ({ payload }) => got.push(payload))
      .subscribe('made.*', ({ payload }) => got.push(payload), { id: 'made', queue: 'made.bound' })
      .open();
    const channel = await (await broker.connect()).createChannel();
    tap.shut();
    await channel.deleteQueue('made.otherwise');
    await channel.deleteQueue('made.bound');
    await channel.assertQueue('made.otherwise', { durable: true, maxLength: 5 });
    tap.reset();
    const consumer = (queue: string): { ready: boolean; lastError?: string } =>
      rabbit.broker.status().consumers.find((one) => one.queue === queue) as { ready: boolean };
    await until(
      () => /x-max-length/.test(consumer('made.otherwise').lastError ?? ''),
      'the mismatch to be said',
    );
    await until(() => consumer('made.well').ready && consumer('made.bound').ready, 'the others to be back');
    expect((await rabbit.broker.publish('made.up', 'other')).routed).toBe(true);
    await until(() => got.all.includes('other'), 'the other consumer');
    expect(consumer('made.otherwise').ready).toBe(false);
    await channel.deleteQueue('made.otherwise');
    await until(() => consumer('made.otherwise').ready, 'the consumer to be back', 15_000);
    expect(consumer('made.otherwise').lastError).toBeUndefined();
    tap.cut();
  });

  it('of a password that worked is reported and tried again, and ends when it works again', async () => {
    const tap = await Tap.open(broker.url);
    const { username, password } = new URL(broker.url);
    const right = { username: decodeURIComponent(username), password: decodeURIComponent(password) };
    let given = right;
    const got = new Collector<unknown>();
    const rabbit = await warren(tap.url, { credentials: () => given })
      .consume('rotated', ({ payload }) => got.push(payload))
      .open();
    given = { ...right, password: 'rotated away' };
    tap.reset();
    await until(
      () =>
        rabbit.broker
          .status()
          .connections.some(({ lastError }) => /user name or password/.test(lastError ?? '')),
      'the refusal to be reported',
    );
    given = right;
    await until(() => rabbit.broker.status().consumers[0].ready, 'the consumer to be back', 15_000);
    await back(rabbit, got, 'rotated');
    await logged(rabbit, 'rejected the user name or password');
    tap.cut();
  });

  it('of a queue that another connection holds for itself is waited out', async () => {
    const holder = await broker.connect();
    await (await holder.createChannel()).assertQueue('held', { exclusive: true, durable: true });
    const got = new Collector<unknown>();
    const rabbit = await warren(broker.url, { startup: 'background' })
      .consume('held', ({ payload }) => got.push(payload))
      .consume('not.held', ({ payload }) => got.push(payload))
      .open();
    await until(() => rabbit.broker.status().consumers[1].ready, 'the other consumer', 15_000);
    await logged(rabbit, 'exclusive to another connection');
    await holder.close();
    await until(() => rabbit.broker.status().consumers[0].ready, 'the consumer', 15_000);
    await back(rabbit, got, 'held');
  });
});

/** Lets the client that consumes this queue ack, on that channel, what it never got. Call it before the client connects. */
function acksWrongly(tap: Tap, queue: string): () => void {
  // basic.consume: class 60, method 20, a ticket, the name of the queue. Its frame begins with type, channel and size.
  const consume = Buffer.concat([Buffer.from([0, 60, 0, 20, 0, 0, queue.length]), Buffer.from(queue)]);
  let ack = (): void => undefined;
  tap.listen((bytes, add) => {
    const at = bytes.indexOf(consume);
    if (at < 0) return;
    const frame = Buffer.alloc(21);
    frame.writeUInt8(1, 0);
    bytes.copy(frame, 1, at - 6, at - 4);
    frame.writeUInt32BE(13, 3);
    frame.writeUInt32BE((60 << 16) | 80, 7);
    frame.writeBigUInt64BE(999n, 11);
    frame.writeUInt8(0xce, 20);
    ack = () => add(frame);
  });
  return () => ack();
}
