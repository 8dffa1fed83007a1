import { describe, expect, it } from '@jest/globals';
import { ConfigError } from '../errors/errors.js';
import type { BrokerOptions, HandlerOptions } from '../options/options.js';
import { settings } from '../options/settings.js';
import { describeHandler } from './describe-handler.js';
import { suspicions } from './handler-limits.js';
import { planHandler, type HandlerPlan } from './handler-plan.js';

const plan = (options: HandlerOptions, connection: BrokerOptions = {}, rpc = false): HandlerPlan =>
  planHandler(
    { kind: rpc ? 'rpc' : 'consume', id: 'Orders.place', patterns: ['q'], options, handle: () => 1 },
    settings({ url: 'amqp://h', service: 's', ...connection }),
  );

describe('limits of a handler that contradict each other', () => {
  it.each<[HandlerOptions, BrokerOptions, RegExp]>([
    [
      { timeout: '30m' },
      {},
      /@Consume Orders.place may hold a message for 30m, but the broker requeues it after 30m/,
    ],
    [{ timeout: '50s' }, { consumerTimeout: '40s' }, /for 50s, .* after 40s/],
    [
      { timeout: '55s', batch: { size: 5, wait: '5s' } },
      { consumerTimeout: '1m' },
      /for 1m \(timeout 55s and batch.wait 5s\)/,
    ],
    [{ batch: { size: 5, wait: '30m' } }, {}, /for 30m \(batch.wait 30m\).*lower batch.wait/],
    [{ batch: { size: 5, wait: '2m' } }, { consumerTimeout: '1m' }, /for 2m .* after 1m/],
    [{ timeout: '50s', arguments: { 'x-consumer-timeout': 40_000 } }, {}, /for 50s, .* after 40s/],
    [
      { rate: '1/m', prefetch: 16 },
      {},
      /at rate 1\/m the 16 messages .* after 30m.*lower prefetch to at most 15/,
    ],
    [{ rate: '1/h' }, {}, /at rate 1\/h the 1 messages .* after 30m.*raise the rate/],
    [{ breaker: { failures: 3, pause: '16m' } }, {}, /breaker.pause \(16m\) holds .* \(30m\).*lower pause/],
    [{ breaker: { failures: 3, of: 2 } }, {}, /2 runs cannot have 3 failures/],
    [
      { batch: { size: 5, wait: '50s' }, arguments: { 'x-consumer-timeout': 40_000 } },
      { consumerTimeout: 0 },
      /for 50s .* after 40s/,
    ],
    [
      { arguments: { 'x-delivery-limit': 4 } },
      { deadLetter: { broker: false } },
      /queue 'q' has x-delivery-limit 4 and no x-dead-letter-exchange/,
    ],
    [
      { prefetch: 5, concurrency: 50 },
      {},
      /@Consume Orders.place: concurrency 50 is above prefetch 5, so no more than 5 can run at once \(make prefetch at least 50/,
    ],
    [
      { prefetch: 5, batch: { size: 50 } },
      {},
      /@Consume Orders.place: a batch of 50 can never fill with prefetch 5 \(make prefetch at least 50, or remove it/,
    ],
    [{}, { prefetch: 5, concurrency: 50 }, /^the connection options: concurrency 50 is above prefetch 5/],
  ])('%p with %p is an error that names it', (options, connection, message) => {
    expect(() => plan(options, connection)).toThrow(ConfigError);
    expect(() => plan(options, connection)).toThrow(message);
  });

  it.each<[HandlerOptions, BrokerOptions]>([
    [{ timeout: '29m' }, {}],
    [{ timeout: '2h' }, { consumerTimeout: '3h' }],
    [{ timeout: '10h' }, { consumerTimeout: 0 }],
    [{ timeout: '2h', ack: 'none' }, {}],
    [{}, { consumerTimeout: 1 }],
    [{ batch: { size: 5, wait: '29m' } }, {}],
    [{ batch: { size: 5, wait: '2h' } }, { consumerTimeout: 0 }],
    [{ batch: { size: 5, wait: '2h' }, ack: 'manual', arguments: { 'x-consumer-timeout': 1e7 } }, {}],
    [{ prefetch: 5, concurrency: 50, ack: 'none' }, {}],
    [{ batch: { size: 50 } }, { prefetch: 5 }],
    [{ arguments: { 'x-delivery-limit': 5 } }, { deadLetter: { broker: false } }],
    [{ arguments: { 'x-delivery-limit': 4 } }, {}],
    [{ arguments: { 'x-delivery-limit': 2, 'x-dead-letter-exchange': 'buried' } }, {}],
  ])('%p with %p is fine', (options, connection) => {
    expect(plan(options, connection).id).toBe('Orders.place');
  });
});

describe('limits of a handler that look wrong', () => {
  const found = (options: HandlerOptions, connection: BrokerOptions = {}, rpc = false): string[] =>
    suspicions(plan(options, connection, rpc), settings({ url: 'amqp://h', ...connection }));

  it('so many prefetched messages, one after the other, that the last is held too long', () => {
    expect(found({ timeout: '5m', prefetch: 32, concurrency: 1 })).toEqual([
      expect.stringMatching(/^Orders.place: 32 runs of up to 5m .* \(30m\); lower the prefetch$/),
    ]);
    expect(found({ timeout: '5m', prefetch: 32 })).toEqual([]);
    expect(found({ timeout: '5m', prefetch: 32, concurrency: 1 }, { consumerTimeout: 0 })).toEqual([]);
    expect(found({ timeout: '5m', prefetch: 50, concurrency: 1, batch: { size: 50 } })).toEqual([]);
  });

  it('more handlers at once than the connection prefetches', () => {
    expect(found({ concurrency: 50 })).toEqual([
      "@Consume Orders.place: concurrency 50 is above the connection's prefetch 32, so no more than 32 can run at once; set its prefetch",
    ]);
    expect(found({}, { concurrency: 50 })).toHaveLength(1);
    expect(found({ concurrency: 50, prefetch: 50 })).toEqual([]);
    expect(found({ concurrency: 50, ack: 'none' })).toEqual([]);
    expect(found({ concurrency: 50, batch: { size: 100 } })).toEqual([]);
    // One at a time, in an application whose other handlers may run many at once.
    expect(found({ prefetch: 1 }, { concurrency: 16 })).toEqual([]);
  });

  it('an RPC handler that tries again when its callers have left', () => {
    const retry = { attempts: 3, delays: '10s' } as const;
    expect(found({ retry }, {}, true)).toEqual([
      expect.stringMatching(/its retries wait 20s in total, .* only 10s/),
    ]);
    expect(found({ retry }, { rpc: { timeout: '30s' } }, true)).toEqual([]);
    expect(found({ retry })).toEqual([]);
  });
});

describe('the line about a handler', () => {
  it.each<[HandlerOptions, string]>([
    [{}, '5 attempts in 2m36s (1s 5s 30s 2m, jitter) -> q.dead'],
    [
      { timeout: '30s', retry: { attempts: 4, delays: '10s', jitter: false } },
      'timeout 30s  4 attempts in 30s (10s ...) -> q.dead',
    ],
    [
      { retry: { attempts: 7, delays: { first: '1s', factor: 2, max: '5s' } } },
      '7 attempts in 22s (1s 2s 4s 5s ..., jitter)',
    ],
    [{ retry: { attempts: 2, delays: [1, 2, 3] } }, '2 attempts in 1ms (1ms, jitter)'],
    [{ retry: false }, 'no retry -> q.dead'],
    [{ retry: false, deadLetter: false }, 'no retry -> dropped'],
  ])('of %p ends with %p', (options, expected) => {
    expect(describeHandler(plan(options))).toContain(expected);
  });
});
