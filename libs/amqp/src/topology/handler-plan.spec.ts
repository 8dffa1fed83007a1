import { describe, expect, it } from '@jest/globals';
import { ConfigError } from '../errors/errors.js';
import type { HandlerOptions } from '../options/options.js';
import { settings } from '../options/settings.js';
import { planHandler, type HandlerPlan, type HandlerRegistration } from './handler-plan.js';
import { partFor, planTopology } from './plan.js';
import { topologyDeclarations } from './declarations.js';
import { bindingSpecs } from './declarations.js';

const defaults = settings({ url: 'amqp://h', service: 'billing' });
const plan = (
  kind: HandlerRegistration['kind'],
  pattern: string,
  options: HandlerOptions = {},
): HandlerPlan =>
  planHandler(
    { kind, id: 'Orders.place', patterns: pattern ? [pattern] : [], options, handle: () => 1 },
    defaults,
  );

describe('a handler worked out', () => {
  it('consume: a durable quorum queue with its dead-letter queue, and no arguments for failures', () => {
    const { queue, declarations, deadQueue, retry } = plan('consume', 'orders');
    expect(queue).toMatchObject({ name: 'orders', durable: true, arguments: { 'x-queue-type': 'quorum' } });
    expect(declarations.queues.map(({ name }) => name)).toEqual(['orders', 'orders.dead', 'warren.orphans']);
    expect([deadQueue, retry.attempts]).toEqual(['orders.dead', 5]);
  });

  it('subscribe: a queue of the service, bound to the events exchange', () => {
    const { queue, declarations } = plan('subscribe', 'order.*');
    expect(queue.name).toBe('billing.Orders.place');
    expect(declarations.exchanges[0]).toMatchObject({ name: 'events', type: 'topic', durable: true });
    expect(declarations.bindings.slice(0, 1)).toMatchObject([
      { source: 'events', key: 'order.*', destination: { name: 'billing.Orders.place' } },
    ]);
  });

  it('rpc: a classic queue, no retry, no dead letters', () => {
    expect(plan('rpc', 'price')).toMatchObject({
      queue: { name: 'price', arguments: { 'x-queue-type': 'classic' } },
      deadQueue: undefined,
      retry: { attempts: 1 },
    });
  });

  it('what a quorum queue cannot do makes a classic one; asked for in so many words it is refused', () => {
    expect(plan('consume', 'q', { maxPriority: 5 }).queue.arguments).toEqual({
      'x-queue-type': 'classic',
      'x-max-priority': 5,
    });
    expect(plan('consume', 'q', { durable: false }).queue).toMatchObject({
      durable: false,
      arguments: { 'x-queue-type': 'classic' },
    });
    expect(() => plan('consume', 'q', { maxPriority: 5, queueType: 'quorum' })).toThrow(
      /@Consume Orders.place: queue 'q' cannot be a quorum queue/,
    );
    expect(plan('consume', 'q', { queueType: 'default' }).queue.arguments).toEqual({});
  });

  it('a broadcast queue has the arguments of its options', () => {
    const options: HandlerOptions = {
      ...{ maxLength: 10, messageTtl: '1m', maxPriority: 5, singleActive: true, durable: false },
      ...{ declare: 'create', arguments: { 'x-overflow': 'reject-publish' } },
    };
    const args = {
      ...{ 'x-max-length': 10, 'x-message-ttl': 60_000, 'x-max-priority': 5 },
      ...{ 'x-single-active-consumer': true, 'x-overflow': 'reject-publish' },
    };
    for (const kind of ['subscribe', 'rpc'] as const) {
      const { queue } = plan(kind, 'a.b', { ...options, broadcast: true });
      expect(queue).toMatchObject({ name: 'billing.Orders.place', temporary: true, durable: false });
      expect(queue.arguments).toEqual(args);
    }
    const argumentsOf = (more: HandlerOptions) =>
      plan('subscribe', 'a.b', { ...more, broadcast: true }).queue.arguments;
    expect(argumentsOf({})).toEqual({});
    expect(argumentsOf({ queueType: 'default' })).toEqual({});
    expect(argumentsOf({ queueType: 'classic' })).toEqual({ 'x-queue-type': 'classic' });
  });

  it.each<[HandlerOptions]>([
    [{ queueType: 'quorum' }],
    [{ queueType: 'stream' }],
    [{ arguments: { 'x-queue-type': 'quorum' } }],
    [{ arguments: { 'x-delivery-limit': 5 } }],
    [{ durable: true }],
    [{ declare: 'check' }],
    [{ declare: 'skip' }],
    [{ stream: { offset: 'first' } }],
    [{ maxLength: 5, arguments: { 'x-max-length': 6 } }],
  ])('a broadcast queue that cannot have %j is refused', (options) => {
    for (const kind of ['subscribe', 'rpc'] as const) {
      expect(() => plan(kind, 'a.b', { ...options, broadcast: true })).toThrow(ConfigError);
      expect(() => plan(kind, 'a.b', { ...options, broadcast: true })).toThrow(/Orders\.place/);
    }
  });

  it('a batch raises the prefetch of the connection', () => {
    expect(plan('consume', 'q', { batch: { size: 100 } })).toMatchObject({
      prefetch: 100,
      batch: { size: 100, wait: 1_000 },
    });
  });

  it.each<[HandlerRegistration['kind'], string, HandlerOptions, RegExp]>([
    ['consume', '', {}, /needs the name of its queue/],
    ['subscribe', '', {}, /needs a topic or bindings/],
    ['consume', 'q', { broadcast: true }, /broadcast is for @Subscribe/],
    ['rpc', 'q', { ack: 'manual' }, /reply settles the request/],
    ['consume', 'q', { batch: { size: 2 }, ack: 'none' }, /batch requires acks/],
    ['consume', 'q', { exchange: 'e' }, /names an exchange but no keys/],
    ['consume', 'q', { bindings: [{ exchange: '', key: 'x' }] }, /default exchange/],
    ['consume', 'q', { bindings: [{ exchange: 'e', key: 'x', keys: ['y'] }] }, /key and keys/],
    ['consume', 'q', { stream: { offset: 'first' }, queueType: 'classic' }, /stream reads a stream queue/],
    ['consume', 'x'.repeat(256), {}, /the queue is 256 bytes/],
    ['consume', 'x'.repeat(251), {}, /dead-letter queue .* is 256 bytes/],
    ['consume', 'q', { orderBy: 'routingKey', ack: 'none' }, /orderBy requires acks/],
    ['subscribe', 'order.*paid', {}, /'\*paid' in the pattern 'order\.\*paid'/],
  ])('%s with %p: %p is refused by name', (kind, pattern, options, message) => {
    expect(() => plan(kind, pattern, options)).toThrow(message);
    expect(() => plan(kind, pattern, options)).toThrow(/Orders\.place/);
  });
});

describe('the way back of retries', () => {
  const wayOf = (options: HandlerOptions, kind: HandlerRegistration['kind'] = 'consume'): unknown => {
    const { back, declarations } = plan(kind, 'q', options);
    const bound = declarations.bindings
      .filter(({ source }) => source === 'warren.back')
      .map(({ key }) => key);
    return { ...back, bound };
  };

  it('is a binding with the name of the queue, whatever the type of the queue', () => {
    expect(wayOf({})).toEqual({ kind: 'retry', bound: ['q'] });
    expect(wayOf({ queueType: 'classic' })).toEqual({ kind: 'retry', bound: ['q'] });
    expect(wayOf({ queueType: 'default' })).toEqual({ kind: 'retry', bound: ['q'] });
    expect(wayOf({ declare: 'check' })).toEqual({ kind: 'retry', bound: ['q'] });
  });

  it('is the name alone for queues that are not ours to bind, or go with their process', () => {
    expect(wayOf({ declare: 'skip' })).toEqual({ kind: 'by-name', bound: [] });
    expect(wayOf({ broadcast: true }, 'subscribe')).toEqual({ kind: 'broadcast', bound: [] });
    expect(wayOf({ stream: { offset: 'first' } })).toEqual({ kind: 'by-name', bound: [] });
  });
});

describe('the plan', () => {
  it('merges what agrees, and takes an exchange by name as another describes it', () => {
    const merged = planTopology([
      plan('consume', 'q', { bindings: [{ exchange: 'e', key: 'a' }] }).declarations,
      topologyDeclarations(
        { exchanges: [{ name: 'e', type: 'direct' }], bindings: [{ exchange: 'e', key: 'a', queue: 'q' }] },
        'quorum',
        'other',
      ),
    ]);
    expect(merged.exchanges[0]).toMatchObject({ name: 'e', type: 'direct', declare: 'create' });
    expect(merged.bindings.filter(({ source }) => source === 'e')).toHaveLength(1);
  });

  it('names both sides of a conflict about an exchange', () => {
    const declarations = (type: 'topic' | 'fanout', declaredBy: string) =>
      topologyDeclarations({ exchanges: [{ name: 'e', type }] }, 'quorum', declaredBy);
    expect(() => planTopology([declarations('topic', 'One'), declarations('fanout', 'Other')])).toThrow(
      /One and Other want exchange 'e' differently: type is "topic"/,
    );
  });

  it.each([
    [true, false],
    [false, true],
  ])('leaves the arguments of a queue alone when one of its handlers says so (%p, %p)', (one, other) => {
    const declarations = [one, other].map(
      (broker) => plan('consume', 'q', { deadLetter: { broker } }).declarations,
    );
    const { queues } = planTopology(declarations);
    expect(queues.find(({ name }) => name === 'q')?.deadLettering?.mode).toBe('unwanted');
  });

  it('names both sides of a conflict', () => {
    const declarations = topologyDeclarations(
      { queues: [{ name: 'q', maxLength: 5 }] },
      'quorum',
      'BillingModule',
    );
    expect(() => planTopology([plan('consume', 'q').declarations, declarations])).toThrow(
      /@Consume Orders\.place and BillingModule want queue 'q' differently: x-max-length/,
    );
  });

  it('the part of one queue has its exchanges, bindings and dead-letter queue, and the way back of its retries', () => {
    const all = planTopology([plan('subscribe', 'a.*').declarations, plan('consume', 'other').declarations]);
    const part = partFor(all, 'billing.Orders.place');
    expect(part.queues.map(({ name }) => name)).toEqual([
      'billing.Orders.place',
      'billing.Orders.place.dead',
      'warren.orphans',
    ]);
    expect(part.exchanges.map(({ name }) => name)).toEqual(['events', 'warren.orphans', 'warren.back']);
    expect(part.bindings.map(({ source }) => source).sort()).toEqual([
      'events',
      'warren.back',
      'warren.orphans',
    ]);
  });

  it('a binding needs one receiver', () => {
    expect(() => topologyDeclarations({ bindings: [{ exchange: 'e' }] }, 'quorum', 'M')).toThrow(
      /either queue or to/,
    );
    expect(() =>
      topologyDeclarations({ bindings: [{ exchange: 'e', queue: 'q', to: 'x' }] }, 'quorum', 'M'),
    ).toThrow(/either queue or to/);
  });
});

it.each(['all', 'any'])('a headers exchange cannot look at x- headers: %s', (kind) => {
  const binding = { exchange: { name: 'h', type: 'headers' }, match: { [kind]: { 'x-tenant': 'acme' } } };
  const specs = () => bindingSpecs(binding as never, { kind: 'queue', name: 'q' }, 'A.b');
  expect(specs).toThrow("A.b: a headers exchange ignores 'x-tenant' in match");
});
