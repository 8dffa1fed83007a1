// Contracts as values: what they are made from, and how keys with places are filled and read.
import { describe, expect, it } from '@jest/globals';
import { event, eventKey, eventParams, isContract, queue, rpc } from './contract.js';

const OrderCreated = event('order.{region}.{id}.created');

describe('a contract', () => {
  it('is a frozen value that knows what it is', () => {
    class OrderNotFound extends Error {}
    expect(queue('orders')).toEqual({ kind: 'queue', name: 'orders', payload: undefined });
    expect(rpc('price.quote', { errors: [OrderNotFound] })).toMatchObject({
      kind: 'rpc',
      pattern: 'price.quote',
      errors: [OrderNotFound],
    });
    for (const contract of [queue('orders'), rpc('price.quote'), OrderCreated]) {
      expect(isContract(contract)).toBe(true);
      expect(Object.isFrozen(contract)).toBe(true);
    }
    for (const other of ['orders', undefined, null, {}, { kind: 'topic' }]) {
      expect(isContract(other)).toBe(false);
    }
  });

  it.each([
    ['a queue without a name', () => queue('')],
    ['a pattern that is no text', () => rpc(5 as never)],
    ['a place that is a part of a word', () => event('order.x{id}')],
    ['a place without a name', () => event('order.{}')],
    ['a payload that is no schema', () => queue('orders', { payload: {} as never })],
    ['an event with another one', () => event('order.created', { payload: { type: 'object' } as never })],
    ['a request that is no schema', () => rpc('price', { request: 'text' as never })],
    ['a response that is no schema', () => rpc('price', { response: (() => 1) as never })],
    ['two places with one name', () => event('{id}.moved.{id}')],
    ['a wildcard', () => event('order.*')],
  ])('%s is refused', (_what, make) => {
    expect(make).toThrow(expect.objectContaining({ code: 'WARREN_CONFIG' }));
  });
});

describe('the key of an event', () => {
  it('is subscribed to with a wildcard for each place', () => {
    expect(OrderCreated.pattern).toBe('order.*.*.created');
    expect(event('started').pattern).toBe('started');
  });

  it('is filled with a word for each place', () => {
    expect(eventKey(OrderCreated, { region: 'eu', id: 7 })).toBe('order.eu.7.created');
    expect(eventKey(event('started'))).toBe('started');
  });

  it.each([
    ['nothing', {}],
    ['an empty word', { region: '', id: 1 }],
    ['two words', { region: 'eu.west', id: 1 }],
    ['something else', { region: null as never, id: 1 }],
    ['what only the prototype has', Object.create({ region: 'eu', id: 1 }) as Record<string, string>],
  ])('is not made from %s', (_what, params) => {
    expect(() => eventKey(OrderCreated, params)).toThrow(
      expect.objectContaining({ code: 'WARREN_ENCODE', message: expect.stringContaining('{region}') }),
    );
  });

  it('gives its words back', () => {
    expect(eventParams(OrderCreated, 'order.eu.7.created')).toEqual({ region: 'eu', id: '7' });
    expect(eventParams(OrderCreated, 'order.eu.created')).toBeUndefined();
    expect(eventParams(OrderCreated, 'order.eu.7.created.late')).toBeUndefined();
    expect(eventParams(OrderCreated, 'order.eu.7.paid')).toBeUndefined();
  });
});
