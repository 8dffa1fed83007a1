// How many wait queues a process takes messages from, and for how long it holds one.
import { describe, expect, it } from '@jest/globals';
import type { LiveChannel } from '../connection/channel.js';
import type { Connection } from '../connection/connection.js';
import { SILENT } from '../runtime/logger.js';
import { settings } from '../options/settings.js';
import type { OutgoingMessage, ReceivedMessage } from '../message/message.js';
import { HEADER } from '../message/headers.js';
import { RetryMover } from './retry-mover.js';

function moving(consumerTimeout: number, major = 4) {
  const time = { now: 0, timers: [] as (() => void)[] };
  const consumers: ((message: ReceivedMessage) => void)[] = [];
  const closes = { count: 0 };
  const published: string[] = [];
  const clock = {
    ...{ wall: () => 0, monotonic: () => time.now },
    after: (_ms: number, call: () => void) => (time.timers.push(call), () => undefined),
  };
  const openChannel = (): Promise<LiveChannel> => {
    let tellClosed: () => void = () => undefined;
    const closed = new Promise<void>((resolve) => (tellClosed = resolve));
    const channel = {
      ...{ alive: true, closed, end: () => undefined },
      close: () => {
        closes.count++;
        tellClosed();
        return closed;
      },
      declaring: { checkQueue: () => Promise.resolve({ messageCount: 0 }) },
      publish: ({ routingKey }: OutgoingMessage) => published.push(routingKey),
      ...{ prefetch: () => Promise.resolve(), acksTaken: () => Promise.resolve(), listen: () => undefined },
      consume: (_queue: string, _options: object, tell: (message: ReceivedMessage) => void) =>
        Promise.resolve(consumers.push(tell)),
    };
    return Promise.resolve(channel as unknown as LiveChannel);
  };
  const connection = {
    ...{ state: 'open', blocked: false, server: { product: 'RabbitMQ', version: [major, 0] } },
    ...{ opened: () => Promise.resolve(), openChannel, withChannel: () => Promise.resolve() },
  };
  const mover = new RetryMover({
    ...{
      connection: connection as unknown as Connection,
      clock,
      exchangeCache: {} as never,
      late: {} as never,
    },
    settings: settings({ service: 's', logger: SILENT, consumerTimeout }),
  });
  return { mover, consumers, closes, time, connection, published };
}

/** A channel counts as ready some turns after its consume-ok. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

describe('the consumer that forwards retries', () => {
  it('takes messages from 200 queues at most: each costs a channel', () => {
    const { mover } = moving(0);
    for (let step = 1; step <= 300; step++) mover.hold({ step, back: { kind: 'retry' } });
    expect(mover.status().queues).toHaveLength(200);
  });

  it('gives up its channel when a queue was gone and is declared again, to consume the new one', async () => {
    const { mover, consumers, closes } = moving(0);
    const wait = { step: 10, back: { kind: 'retry' } } as const;
    mover.hold(wait);
    await turns();
    mover.hold(wait);
    expect([consumers.length, closes.count]).toEqual([1, 0]);
    mover.hold(wait, true);
    await turns();
    expect([closes.count, mover.status().queues]).toEqual([1, ['s.retry.10']]);
  });

  it('asks once whether a queue is there, however long it can ask nothing', async () => {
    const { mover, connection, time, published } = moving(0);
    connection.blocked = true;
    mover.expect([10, 20].map((step) => ({ step, back: { kind: 'retry' } })));
    for (let times = 0; times < 100; times++) {
      for (const timer of time.timers.splice(0)) timer();
      await turns();
    }
    connection.blocked = false;
    mover.flush();
    expect(published).toEqual(['s.retry.10', 's.retry.20']);
  });

  it.each([
    [3, 1],
    [4, 0],
  ])('on RabbitMQ %d gives up %d channels on which nothing came for a minute', async (major, renewed) => {
    const { mover, closes, time } = moving(0, major);
    mover.hold({ step: 10, back: { kind: 'retry' } });
    await turns();
    for (const now of [59_000, 61_000, 119_000]) {
      time.now = now;
      for (const timer of time.timers.splice(0)) timer();
      await turns();
    }
    expect(closes.count).toBe(renewed);
  });

  it.each([
    [30 * 60_000, 5 * 60_000],
    [60_000, 20_000],
    [0, 5 * 60_000],
  ])(
    'with a consumer timeout of %d ms holds nothing for longer than %d ms',
    async (consumerTimeout, most) => {
      /** What it says of a message that is due in so many ms. */
      const withOneDueIn = async (left: number): Promise<object> => {
        const { mover, consumers } = moving(consumerTimeout);
        mover.hold({ step: 3_600_000, back: { kind: 'retry' } });
        while (consumers.length === 0) await new Promise((resolve) => setImmediate(resolve));
        consumers[0]({
          ...{ content: Buffer.alloc(0), exchange: '', routingKey: 'q', redelivered: true, deliveryTag: 1 },
          properties: { messageId: 'm', headers: { [HEADER.due]: left } },
        });
        return mover.status();
      };
      expect(await withOneDueIn(most)).toMatchObject({ messages: 1, nextDue: most });
      // Given back, and taken again shortly before it is due.
      expect(await withOneDueIn(most + 1)).toMatchObject({ messages: 0, nextDue: most + 1 });
    },
  );
});
