import { describe, expect, it } from '@jest/globals';
import { systemClock } from '../runtime/clock.js';
import type { Connection } from '../connection/connection.js';
import { exchangeSpec } from '../topology/declarations.js';
import { ChannelCloseReasons } from './channel-replacement.js';
import { ExchangeCache } from './exchange-cache.js';

/** ExchangeCache on a connection that declares whatever it is asked for. */
function exchangeCache() {
  const asked: string[] = [];
  const connection = {
    life: 1,
    opened: () => Promise.resolve(),
    withChannel: (use: (channel: object) => Promise<unknown>) =>
      use({ assertExchange: (name: string) => Promise.resolve(asked.push(name)) }),
  };
  const bound: string[] = [];
  const made = new ExchangeCache({
    connection: connection as unknown as Connection,
    clock: systemClock,
    closeReasons: new ChannelCloseReasons({
      connection,
      clock: systemClock,
      onForbidden: () => undefined,
    }),
    service: 'test',
    onWait: () => undefined,
    describe: (name) => exchangeSpec({ name, type: 'topic' }, 'a test'),
    topology: {
      bind: (_connection, exchange) => Promise.resolve(void bound.push(exchange)),
      look: () => Promise.resolve(void asked.push('a look')),
    },
  });
  return { made, asked, bound, connection };
}

describe('exchanges that are published to', () => {
  it('are declared once in each life of the connection, with what is bound to them', async () => {
    const { made, asked, bound, connection } = exchangeCache();
    await made.ensure('events');
    await made.ensure('events');
    expect([asked, bound, made.isKnown('events')]).toEqual([['events'], ['events'], true]);
    connection.life = 2;
    expect([made.isKnown('events'), made.isKnown('')]).toEqual([false, true]);
    await made.ensure('events');
    expect([asked, bound]).toEqual([
      ['events', 'events'],
      ['events', 'events'],
    ]);
  });

  it('are looked for with all that is wanted when one of them turns out to be gone', async () => {
    const { made, asked } = exchangeCache();
    await made.ensure('events');
    made.refused({ exchange: 'events', topic: undefined, error: undefined });
    expect(made.isKnown('events')).toBe(false);
    await made.ensure('events');
    expect(asked).toEqual(['events', 'a look', 'events']);
  });
});
