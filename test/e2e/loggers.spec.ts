// A logger or a listener that fails harms nothing but its own line.

import { expect, it } from '@jest/globals';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { rejection, warren } from '../support/warren.js';

const fails = (): never => {
  throw new Error('no space left on device');
};

onEachBroker('a logger', (broker) => {
  it.each([
    ['throws', { log: fails, warn: fails, error: fails, debug: fails }],
    [
      'rejects',
      {
        log: () => Promise.reject(new Error('no')),
        warn: () => Promise.reject(new Error('no')),
        error: () => Promise.reject(new Error('no')),
      },
    ],
  ])('that %s breaks no connection, handler, deadline or close', async (_how, logger) => {
    const got = new Collector<unknown>('messages');
    const rabbit = warren(broker.url, { logger, watchdog: '50ms' });
    rabbit.broker.on(fails);
    await rabbit
      .consume('logged', ({ payload }) => got.push(payload))
      .consume(
        'logged.late',
        () => {
          got.push('late');
          return new Promise(() => undefined);
        },
        { timeout: 50, retry: false },
      )
      .open();
    await rabbit.broker.send('logged.late', 1);
    await rabbit.broker.send('logged', 1);
    expect(await got.take(2)).toEqual(expect.arrayContaining([1, 'late']));
    await broker.closeConnections();
    await until(async () => {
      await rabbit.broker.send('logged', 2).catch(() => undefined);
      return got.all.includes(2);
    }, 'a message after the loss');
    const error = await rejection(rabbit.broker.request('nobody', 1));
    expect(error.code).toBe('WARREN_RPC_NO_SERVER');
    await rabbit.broker.close();
    expect(rabbit.broker.status().timers).toBe(0);
  });
});
