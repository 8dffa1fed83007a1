// What the log says of single messages: which handler, which message, and nothing that has not happened.

import { describe, expect, it } from '@jest/globals';
import { systemClock } from '../runtime/clock.js';
import { Delivery, named, type Verdict } from '../message/delivery.js';
import { Events } from '../events/emitter.js';
import { abortHandlers } from './abort-at-shutdown.js';
import { reporter } from './pipeline.js';
import type { HandlerContext } from './step.js';
import { type Unacked } from './settlement.js';

const sink = { settle() {}, warn() {} };

function delivery(messageId?: string, routingKey = 'order.created'): Delivery {
  const fields = { deliveryTag: 1, redelivered: false, exchange: 'e', routingKey };
  const message = { content: Buffer.from('1'), properties: { messageId }, ...fields };
  const made = new Delivery(message, 'orders', sink);
  made.handler = 'Orders.place';
  return made;
}

function context(plan: object = {}): { context: HandlerContext; lines: string[] } {
  const lines: string[] = [];
  const say = (line: string): void => void lines.push(line);
  const logger = { log: say, warn: say, error: say };
  const made = {
    plan: { id: 'Orders.place', queue: { name: 'orders' }, registration: { kind: 'consume' }, ...plan },
    ...{ logger, events: new Events(logger, 'test'), clock: systemClock, settings: { shutdown: 30_000 } },
    plugins: { logSuffix: () => '' },
  };
  return { context: made as never, lines };
}

const DEAD: Verdict = { kind: 'dead-letter', reason: 'rejected', error: new Error('no') };
const FAILED =
  "Orders.place failed on message m-1 ('order.created') of queue 'orders' (attempt 1): Error: no";

describe('a message in the log', () => {
  it.each([
    ['m-1', 'order.created', "message m-1 ('order.created') of queue 'orders'"],
    ['m-1', 'orders', "message m-1 of queue 'orders'"],
    [undefined, 'orders', "a message without id of queue 'orders'"],
    ['', 'k', "a message without id ('k') of queue 'orders'"],
    ['a\nb', 'k\u001b', "message a\\x0ab ('k\\x1b') of queue 'orders'"],
  ])('with the id %j and the key %j', (id, key, text) => expect(named(delivery(id, key))).toBe(text));
});

describe('a dead letter', () => {
  const plan = { deadQueue: 'orders.dead' };

  it.each([
    [true, `${FAILED}; dead-lettered to 'orders.dead' (rejected)`],
    [false, `${FAILED}; the channel was lost meanwhile, so the broker delivers it again`],
  ])('is said when the broker has it, not before (%p)', (there, line) => {
    const { context: own, lines } = context(plan);
    const one = delivery('m-1');
    reporter(own)(DEAD, one);
    expect(lines).toEqual([]);
    one.run.whenSentOn?.(there);
    expect(lines).toEqual([line]);
  });

  it('is said at once where the broker has it by then, or where there is no queue for it', () => {
    const { context: own, lines } = context(plan);
    const one = delivery('m-1');
    one.run.sentOn = true;
    reporter(own)(DEAD, one);
    const without = context();
    reporter(without.context)(DEAD, delivery('m-1'));
    expect([...lines, ...without.lines]).toEqual([
      `${FAILED}; dead-lettered to 'orders.dead' (rejected)`,
      `${FAILED}; dropped, because the handler has no dead-letter queue (rejected)`,
    ]);
  });
});

describe('a shutdown whose time is over', () => {
  const given = async (plan: object, handler = 'Orders.place'): Promise<string[]> => {
    const { context: own, lines } = context(plan);
    const one = delivery('m-1', 'orders');
    one.handler = handler;
    const unacked = { deliveries: () => [one], orphans: () => [], none: () => Promise.resolve() };
    await abortHandlers(unacked as unknown as Unacked, 'orders', own);
    return lines;
  };

  it('says which handler did not finish which message, and what becomes of it', async () => {
    const start = "Orders.place did not finish message m-1 of queue 'orders' in time (shutdown: 30s); ";
    expect(await given({})).toEqual([`${start}it returns to 'orders'`]);
    expect(await given({ ack: 'none' })).toEqual([`${start}it is lost (ack: 'none')`]);
  });

  it('has no empty names for a message that no handler had begun', async () => {
    const [line] = await given({}, '');
    expect(line).toBe(
      "message m-1 of queue 'orders' was not handled in time (shutdown: 30s); it returns to 'orders'",
    );
  });
});
