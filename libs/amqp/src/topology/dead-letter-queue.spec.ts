import { describe, expect, it } from '@jest/globals';
import type { BrokerOptions, HandlerOptions } from '../options/options.js';
import { settings } from '../options/settings.js';
import { deadQueueSpec, withBrokerDeadLettering } from './retry-topology.js';
import { planHandler } from './handler-plan.js';

const QUORUM = { queueType: 'quorum' } as const;
const CLASSIC = { queueType: 'classic' } as const;
const OPEN = { queueType: 'default' } as const;
const ONCE = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'q.dead' };
const SAFE = { ...ONCE, 'x-dead-letter-strategy': 'at-least-once', 'x-overflow': 'reject-publish' };

function queueOf(kind: 'consume' | 'rpc', options: HandlerOptions, connection: BrokerOptions = {}) {
  const registration = { kind, id: 'A.b', patterns: ['q'], options, handle: () => 1 };
  return planHandler(registration, settings({ service: 's', ...connection })).queue;
}

describe('what makes the broker dead-letter what it drops', () => {
  it.each<[HandlerOptions, object]>([
    [QUORUM, SAFE],
    [{ ...QUORUM, messageTtl: '1m' }, SAFE],
    [{ ...QUORUM, singleActive: true }, SAFE],
    [{ ...QUORUM, maxLength: 10, arguments: { 'x-overflow': 'reject-publish' } }, SAFE],
    [{ ...QUORUM, maxLength: 10 }, ONCE],
    [{ ...QUORUM, arguments: { 'x-max-length-bytes': 10 } }, ONCE],
    [{ ...QUORUM, arguments: { 'x-overflow': 'drop-head' } }, ONCE],
    [{ ...CLASSIC, messageTtl: '1m' }, ONCE],
    [{ ...CLASSIC, arguments: { 'x-message-ttl': 1 } }, ONCE],
    [{ ...CLASSIC, maxLength: 10 }, ONCE],
    [{ ...CLASSIC, durable: false, maxLength: 10 }, ONCE],
    [{ ...OPEN, maxLength: 10 }, ONCE],
  ])('%j', (options, args) => {
    expect(queueOf('consume', options).deadLettering).toEqual({ mode: 'wanted', arguments: args });
  });

  it.each<[HandlerOptions]>([
    [CLASSIC],
    [OPEN],
    [{ ...CLASSIC, maxLength: 10, arguments: { 'x-overflow': 'reject-publish' } }],
    [{ deadLetter: false }],
    [{ declare: 'check' }],
    [{ declare: 'skip' }],
    [{ stream: { offset: 'first' } }],
    [{ arguments: { 'x-dead-letter-exchange': 'mine' } }],
    [{ arguments: { 'x-dead-letter-strategy': 'at-most-once' } }],
  ])('not %j', (options) => {
    expect(queueOf('consume', options).deadLettering).toBeUndefined();
  });

  it('not for requests, whose callers know', () => {
    expect(queueOf('rpc', { ...QUORUM, deadLetter: true }).deadLettering).toBeUndefined();
  });

  it.each<[HandlerOptions, BrokerOptions, string]>([
    [{ deadLetter: { broker: false } }, {}, 'unwanted'],
    [{}, { deadLetter: { broker: false } }, 'unwanted'],
    [{ deadLetter: true }, { deadLetter: { broker: false } }, 'unwanted'],
    [{ deadLetter: { broker: true } }, { deadLetter: { broker: false } }, 'wanted'],
  ])('%j of a handler and %j of its connection', (options, connection, mode) => {
    expect(queueOf('consume', options, connection).deadLettering?.mode).toBe(mode);
  });

  it('a look at dead letters never costs one: their queue has no limit of deliveries', () => {
    const args = deadQueueSpec(queueOf('consume', QUORUM)).arguments;
    expect(args).toEqual({ 'x-queue-type': 'quorum', 'x-delivery-limit': 1_000_000_000 });
    expect(deadQueueSpec(queueOf('consume', CLASSIC)).arguments).toEqual({ 'x-queue-type': 'classic' });
  });

  it('keeps the arguments of the queue as the user gave them', () => {
    const queue = queueOf('consume', { ...QUORUM, deadLetter: false });
    expect(withBrokerDeadLettering(queue, 'accepted').arguments).toEqual({ 'x-queue-type': 'quorum' });
  });
});
