// Requests that nobody waits for any more: their handler does not begin, whenever that becomes known.
import { describe, expect, it } from '@jest/globals';
import { CallerLeftError, ShuttingDownError } from '../../errors/rpc-errors.js';
import { ACK, Delivery, DROP, REQUEUE } from '../../message/delivery.js';
import type { OutgoingMessage } from '../../message/message.js';
import type { Leaving } from '../../plugins/leaving-message.js';
import { settings } from '../../options/settings.js';
import { Deadlines, systemClock } from '../../runtime/clock.js';
import { SILENT } from '../../runtime/logger.js';
import { ActiveCalls, type RpcContext } from './active-calls.js';
import { reply } from './rpc-step.js';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A handler that serves calls; `answer` says whether the caller is gone, `stored` what the store holds. */
function serving(rpc: object, noPlugins = true) {
  let now = 0;
  let answer = (_gone: boolean): void => undefined;
  let stored = (_reply: undefined): void => undefined;
  const clock = { ...systemClock, monotonic: () => now, wall: () => now };
  const calls = new ActiveCalls(clock);
  const skipped: string[] = [];
  const replies: string[] = [];
  const store = { get: () => new Promise<undefined>((resolve) => (stored = resolve)), set: () => undefined };
  const take = ({ content }: OutgoingMessage): void => void replies.push(String(content));
  const plugins = {
    none: noPlugins,
    publish: (leaving: Leaving, send: (message: OutgoingMessage) => unknown) => send(leaving.message),
  };
  const context = {
    ...{ calls, clock, deadlines: new Deadlines(clock), plugins, logger: SILENT },
    plan: {
      id: 'h',
      codec: undefined,
      rpc: { known: new Map(), ...rpc, ...('idempotent' in rpc && { idempotent: { ttl: 1, store } }) },
    },
    callers: { isGone: () => new Promise<boolean>((resolve) => (answer = resolve)) },
    events: { hasListeners: () => true, emit: ({ reason }: { reason: string }) => skipped.push(reason) },
    replies: { begin: take, send: take },
    settings: settings({ logger: SILENT }),
    source: {
      ...{ service: 's', name: 'default' },
      connection: { vhost: '/', server: { product: '', version: [0, 0] } },
    },
    forwarder: { codecs: { encode: () => ({ content: Buffer.from('value') }) } },
  } as unknown as RpcContext;
  let runs = 0;
  const properties = {
    correlationId: 'c',
    messageId: 'm',
    replyTo: 's.replies.01234567',
    expiration: '1000',
  };
  const message = { exchange: '', routingKey: 'q', redelivered: true, content: Buffer.alloc(0), properties };
  const delivery = new Delivery(message as never, 'q', { settle: () => undefined, warn: () => undefined });
  const verdict = () => Promise.resolve(reply(context)(() => (runs++, ACK))(delivery));
  return {
    ...{ calls, delivery, skipped, replies, verdict },
    pass: (ms: number) => (now += ms),
    answer: (gone: boolean) => answer(gone),
    stored: () => stored(undefined),
    runs: () => runs,
  };
}

describe('a request', () => {
  const skips = { skipsGone: true };

  it('runs when its caller is still there', async () => {
    const { verdict, answer, runs, skipped } = serving(skips);
    const running = verdict();
    answer(false);
    expect([await running, runs(), skipped]).toEqual([ACK, 1, []]);
  });

  it('whose caller leaves while the broker is asked about it does not run', async () => {
    const { verdict, answer, runs, skipped, calls } = serving(skips);
    const running = verdict();
    calls.onControl({ kind: 'cancel', id: 'c' });
    answer(false);
    expect([await running, runs(), skipped, calls.left.size]).toEqual([DROP, 0, ['left'], 0]);
  });

  it('whose time is over then does not run, and is answered', async () => {
    const { verdict, answer, runs, skipped, replies, pass } = serving(skips);
    const running = verdict();
    pass(1_001);
    answer(false);
    expect([await running, runs(), skipped]).toEqual([DROP, 0, ['late']]);
    expect(replies).toEqual([expect.stringContaining('WARREN_CALLER_LEFT')]);
  });

  it('does not run when plugins kept it for longer than its caller waits', async () => {
    const { verdict, runs, skipped, pass, replies } = serving({}, false);
    // Its steps began before.
    pass(1_001);
    expect([await verdict(), runs(), skipped]).toEqual([DROP, 0, ['late']]);
    await turn();
    expect(replies).toEqual([expect.stringContaining('WARREN_CALLER_LEFT')]);
  });

  it.each([
    ['its caller left', new CallerLeftError(), DROP, ['left']],
    ['the process shuts down', new ShuttingDownError(), REQUEUE, []],
  ])('does not run when %s while the store of replies is read', async (_what, reason, expected, told) => {
    const { verdict, stored, runs, skipped, delivery, replies } = serving({ idempotent: true });
    const running = verdict();
    delivery.abort(reason);
    stored();
    expect([await running, runs(), skipped]).toEqual([expected, 0, told]);
    await turn();
    expect(replies).toEqual([]);
  });
});
