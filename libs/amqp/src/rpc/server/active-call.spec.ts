// A call that is being answered is known to its caller, has a deadline, and leaves nothing behind when it is over.
import { expect, it } from '@jest/globals';
import { Deadlines } from '../../runtime/clock.js';
import { Delivery } from '../../message/delivery.js';
import { ActiveCalls, type RpcContext } from './active-calls.js';
import { ActiveCall } from './rpc-step.js';

it('a call is found while it is answered, stopped when the time of its caller is over, and forgotten at its end', () => {
  let now = 0;
  let timer: (() => void) | undefined;
  const clock = {
    ...{ wall: () => 0, monotonic: () => now },
    after: (_ms: number, call: () => void) => ((timer = call), () => (timer = undefined)),
  };
  const deadlines = new Deadlines(clock);
  const calls = new ActiveCalls(clock);
  const properties = { correlationId: 'c' };
  const message = { exchange: '', routingKey: 'q', content: Buffer.alloc(0), properties };
  const begin = (): ActiveCall => {
    const delivery = new Delivery(message as never, 'q', { settle: () => undefined, warn: () => undefined });
    delivery.run.callerDeadline = now + 1_000;
    const call = new ActiveCall({ calls, deadlines } as RpcContext, delivery);
    call.begin();
    return call;
  };
  const first = begin();
  expect([calls.size, deadlines.size]).toEqual([1, 1]);
  first.end();
  expect([calls.size, deadlines.size]).toEqual([0, 0]);
  const second = begin();
  now += 1_020;
  timer?.();
  expect(second.delivery.run.abortedBy).toMatchObject({ code: 'WARREN_CALLER_LEFT' });
  expect(first.delivery.run.abortedBy).toBeUndefined();
});
