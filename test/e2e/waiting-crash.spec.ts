// What waits for its next attempt is still there when the broker was killed and started again.

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Delivery } from '@warren/amqp';
import { findRabbitMQ, startRabbitMQ, type RabbitMQNode } from '../../tools/rabbitmq.mjs';
import { Collector, until } from '../support/events.js';
import { warren } from '../support/warren.js';

const MINUTES = 180_000;
const MESSAGES = 20;
/** Shorter than a node takes to start. */
const DELAY = 2_000;

if (process.env.RABBITMQ_URL && findRabbitMQ()) {
  describe('a RabbitMQ that is killed while messages wait', () => {
    let node: RabbitMQNode;
    beforeAll(async () => {
      node = await startRabbitMQ({ management: false });
    }, MINUTES);
    afterAll(() => node.stop(), MINUTES);

    it.each(['quorum', 'classic'] as const)(
      'brings back each of a %s queue once it is started again',
      async (queueType) => {
        const queue = `kept.${queueType}`;
        const back = new Collector<unknown>('retries');
        const rabbit = await warren(node.url, { queueType })
          .consume(
            queue,
            ({ attempt, payload }) => {
              if (attempt === 1) throw new Error('later');
              back.push(payload);
            },
            { retry: { attempts: 2, delays: '5s', jitter: false } },
          )
          .open();
        // RabbitMQ itself forgets what is in a quorum queue that was declared in the second before it is killed; the
        // way of one message there and back is longer than that.
        await rabbit.broker.send(queue, 'first');
        expect(await back.one()).toBe('first');
        const numbers = Array.from({ length: MESSAGES }, (_, n) => n);
        await Promise.all(numbers.map((n) => rabbit.broker.send(queue, n)));
        // The first one twice, the others once: all of these wait now.
        const settled = (): number => rabbit.events.all.filter(({ kind }) => kind === 'settled').length;
        await until(() => settled() === MESSAGES + 2, 'all to wait');
        expect(back.size).toBe(1);
        await node.restart({ crash: true });
        // What a broker had not written when it was killed comes twice, never not at all.
        const came = (): number[] =>
          [...new Set(back.all)].filter((payload) => payload !== 'first').map(Number);
        await until(() => came().length === MESSAGES, 'all to come back', 60_000);
        expect(came().sort((a, b) => a - b)).toEqual(numbers);
      },
      MINUTES,
    );

    it.each([
      ['stopped', false],
      ['killed', true],
    ] as const)(
      'brings delayed messages to a quorum queue, a classic one and an exchange when it is %s at the moment they are due',
      async (what, crash) => {
        const service = `due.${what}`;
        const back = new Collector<unknown>('delayed messages');
        const take = ({ payload }: Delivery): void => back.push(payload);
        // So short that the broker hands over by itself, too, while it starts.
        const rabbit = await warren(node.url, { service }, { grace: 500 })
          .consume(`${service}.quorum`, take, { queueType: 'quorum' })
          .consume(`${service}.classic`, take, { queueType: 'classic' })
          .subscribe(`${service}.key`, take, { queueType: 'quorum' })
          .open();
        const { broker } = rabbit;
        const delayed = async (n: string | number, delay: number): Promise<void> => {
          await Promise.all([
            broker.send(`${service}.quorum`, `quorum ${n}`, { delay }),
            broker.send(`${service}.classic`, `classic ${n}`, { delay }),
            broker.publish(`${service}.key`, `exchange ${n}`, { delay }),
          ]);
        };
        await delayed('first', DELAY);
        await back.take(3);
        const numbers = Array.from({ length: MESSAGES }, (_, n) => n);
        await Promise.all(numbers.map((n) => delayed(n, DELAY)));
        await node.restart({ crash });
        const came = (): Set<unknown> => new Set(back.all);
        await until(() => came().size === 3 * (MESSAGES + 1), 'all to come', 60_000);
      },
      MINUTES,
    );
  });
} else {
  // Jest wants a test in every file.
  it('needs a RabbitMQ that it may kill', () =>
    expect(process.env.RABBITMQ_URL && findRabbitMQ()).toBeFalsy());
}
