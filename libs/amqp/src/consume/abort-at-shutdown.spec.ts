// What a consumer waits for before its channel closes.

import { describe, expect, it } from '@jest/globals';
import type { LiveChannel } from '../connection/channel.js';
import { systemClock } from '../runtime/clock.js';
import type { HandlerPlan } from '../topology/handler-plan.js';
import { acksTaken } from './abort-at-shutdown.js';

function channel(answer: () => Promise<void>) {
  const asked: string[] = [];
  const ask = (what: string) => (queue: string) => {
    asked.push(`${what} ${queue}`);
    return answer();
  };
  const asks = { acksForwarded: ask('forwarded'), acksTaken: ask('taken') };
  return { asked, channel: asks as unknown as LiveChannel };
}

const plan = (type: string | undefined, temporary = false): HandlerPlan => {
  const args = type === undefined ? {} : { 'x-queue-type': type };
  return { queue: { name: 'q', arguments: args, temporary } } as unknown as HandlerPlan;
};

describe('the last acks', () => {
  it.each<[string, HandlerPlan, string[]]>([
    ['a quorum queue has taken them', plan('quorum'), ['taken q']],
    ['a classic queue has got them, on whichever node it is', plan('classic'), ['forwarded q']],
    ['a queue of unknown type has both', plan(undefined), ['forwarded q', 'taken q']],
    ['a stream has none', plan('stream'), []],
    ['a queue that ends with its consumer needs none', plan('classic', true), []],
  ])('are waited for until %s', async (_, handler, expected) => {
    const { asked, channel: open } = channel(() => Promise.resolve());
    await acksTaken(open, handler, 'q', systemClock);
    expect(asked).toEqual(expected);
  });

  it.each<[string, () => Promise<void>]>([
    ['refuses', () => Promise.reject(new Error('gone'))],
    ['is silent', () => new Promise(() => undefined)],
  ])('hold up nobody when the broker %s', async (_, answer) => {
    const { channel: open } = channel(answer);
    const clock = { ...systemClock, after: (_ms: number, call: () => void) => (call(), () => undefined) };
    await acksTaken(open, plan('classic'), 'q', clock);
  });
});
