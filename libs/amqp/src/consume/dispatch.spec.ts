// Which handler of a queue a delivery is for, whatever the order in which they were registered.
import { describe, expect, it } from '@jest/globals';
import { Delivery } from '../message/delivery.js';
import type { HandlerOptions } from '../options/options.js';
import { settings } from '../options/settings.js';
import { planHandler } from '../topology/handler-plan.js';
import { planTopology, type TopologyPlan } from '../topology/plan.js';
import { topologyDeclarations, type TopologyOptions } from '../topology/declarations.js';
import { dispatch, Remembered, type Dispatch } from './dispatch.js';

const TOPIC = { name: 'events', type: 'topic' } as const;
const sink = { settle: () => undefined, warn: () => undefined };

function delivery(exchange: string, routingKey: string, queue = 'q'): Delivery {
  const message = { content: Buffer.alloc(0), exchange, routingKey, redelivered: false, properties: {} };
  return new Delivery(message as never, queue, sink);
}

/** What gets a message; `further` is declared besides the handlers. */
function choosing(handlers: Record<string, HandlerOptions>, further: TopologyOptions = {}): Dispatch {
  const plans = Object.entries(handlers).map(([id, options]) =>
    planHandler({ kind: 'consume', id, patterns: ['q'], options, handle: () => undefined }, settings({})),
  );
  const plan: TopologyPlan = planTopology([
    ...plans.map(({ declarations }) => declarations),
    topologyDeclarations(further, 'classic', 'a test'),
  ]);
  const typeOf = (name: string) => plan.exchanges.find((exchange) => exchange.name === name)?.type;
  return dispatch(plans, { typeOf, ...plan });
}

describe('dispatch among several', () => {
  it('prefers the most specific, in whatever order they were registered', () => {
    const bound = (key: string): HandlerOptions => ({ bindings: [{ exchange: TOPIC, key }] });
    const choose = choosing({
      rest: bound('#'),
      order: bound('order.#'),
      star: bound('order.*'),
      exact: bound('order.paid'),
    });
    expect(
      ['x', 'order.a.b', 'order.created', 'order.paid'].map((key) => choose(delivery('events', key))),
    ).toEqual([0, 1, 2, 3]);
  });

  it('refuses two that want the same', () => {
    const bound = (key: string): HandlerOptions => ({ bindings: [{ exchange: TOPIC, key }] });
    expect(() => choosing({ one: bound('a.*'), other: bound('a.*') })).toThrow(
      /one and other both handle 'a\.\*'/,
    );
    expect(() => choosing({ one: {}, other: {} })).toThrow(/both handle every message/);
  });

  it('remembers decisions up to a bound', () => {
    const remembered = new Remembered(2);
    const choose: Dispatch = ({ routingKey }) => routingKey.length;
    for (const key of ['a', 'bb', 'ccc', 'a', 'ccc']) {
      expect(remembered.get(key, delivery('', key), choose)).toBe(key.length);
    }
    expect(remembered.size).toBe(2);
  });
});

describe('a handler that is alone on its queue', () => {
  const created: HandlerOptions = { bindings: [{ exchange: TOPIC, key: 'order.created' }] };

  it('gets what fits its bindings, and what was sent to the queue by name', () => {
    const choose = choosing({ created });
    expect(choose(delivery('events', 'order.created'))).toBe(0);
    expect(choose(delivery('', 'q'))).toBe(0);
    expect(choose(delivery('events', 'order.paid'))).toBe(-1);
    expect(choose(delivery('other', 'order.created'))).toBe(-1);
  });

  it('gets everything without bindings, whoever bound the queue', () => {
    const choose = choosing({ all: {} }, { bindings: [{ exchange: TOPIC, key: 'a', queue: 'q' }] });
    for (const [exchange, key] of [
      ['events', 'b'],
      ['other', ''],
      ['', 'q'],
    ]) {
      expect(choose(delivery(exchange, key))).toBe(0);
    }
  });

  it('gets what bindings of the application bring that belong to no handler', () => {
    const choose = choosing(
      { created },
      {
        exchanges: [
          { name: 'shop', type: 'topic', alternateExchange: 'unrouted' },
          { name: 'unrouted', type: 'fanout' },
        ],
        bindings: [
          { exchange: TOPIC, key: 'order.paid', queue: 'q' },
          { exchange: { name: 'legacy', type: 'direct' }, key: 'order.created', to: 'events' },
          { exchange: { name: 'unrouted', type: 'fanout' }, queue: 'q' },
        ],
      },
    );
    expect(choose(delivery('events', 'order.paid'))).toBe(0);
    expect(choose(delivery('legacy', 'order.created'))).toBe(0);
    expect(choose(delivery('legacy', 'order.deleted'))).toBe(-1);
    expect(choose(delivery('shop', 'whatever'))).toBe(0);
  });

  it('survives exchanges that feed each other', () => {
    const choose = choosing(
      { created },
      {
        bindings: [
          { exchange: { name: 'a', type: 'topic' }, key: '#', to: 'events' },
          { exchange: TOPIC, key: '#', to: 'a' },
        ],
      },
    );
    expect(choose(delivery('a', 'order.created'))).toBe(0);
    expect(choose(delivery('b', 'order.created'))).toBe(-1);
  });

  it('gets any key of an exchange whose keys are not what messages carry', () => {
    const hash = { name: 'hash', type: 'x-consistent-hash' };
    const fanout = { name: 'all', type: 'fanout' } as const;
    const choose = choosing({
      shard: {
        bindings: [
          { exchange: hash, key: '1' },
          { exchange: fanout, key: 'x' },
        ],
      },
    });
    expect(choose(delivery('hash', 'order.7'))).toBe(0);
    expect(choose(delivery('all', 'order.7'))).toBe(0);
    const delayed = { name: 'later', type: 'x-delayed-message', arguments: { 'x-delayed-type': 'topic' } };
    const waiting = choosing({ late: { bindings: [{ exchange: delayed, key: 'order.*' }] } });
    expect(waiting(delivery('later', 'order.paid'))).toBe(0);
  });
});
