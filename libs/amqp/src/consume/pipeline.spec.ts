// Steps around a handler: what they end, what they keep from it, and what they leave behind.
import { describe, expect, it } from '@jest/globals';
import { Deadlines } from '../runtime/clock.js';
import { Delivery } from '../message/delivery.js';
import { HEADER } from '../message/headers.js';
import { SILENT } from '../runtime/logger.js';
import { settings } from '../options/settings.js';
import { Events } from '../events/emitter.js';
import type { HandlerContext } from './step.js';
import { type RpcContext, ActiveCalls } from '../rpc/server/active-calls.js';
import { reply } from '../rpc/server/rpc-step.js';
import { limited, unfit } from './pipeline.js';

function delivered(bytes = 1): Delivery {
  const message = { exchange: '', routingKey: 'q', content: Buffer.alloc(bytes), properties: {} };
  return new Delivery(message as never, 'q', { settle: () => undefined, warn: () => undefined });
}

function withTimeout(limit: number) {
  let now = 0;
  let timer: (() => void) | undefined;
  const clock = {
    ...{ wall: () => 0, monotonic: () => now },
    after: (_ms: number, call: () => void) => ((timer = call), () => (timer = undefined)),
  };
  const deadlines = new Deadlines(clock);
  const plan = { id: 'h', timeout: limit, queue: { name: 'q' } };
  const context = { plan, deadlines, clock, logger: SILENT, events: new Events(SILENT, 'test') };
  const pass = (ms: number): void => {
    now += ms;
    timer?.();
  };
  return { context: context as unknown as HandlerContext, deadlines, pass };
}

describe('a time-out', () => {
  it('ends the wait for the handler, and tells it to stop', async () => {
    const { context, pass } = withTimeout(1_000);
    const list = [delivered(), delivered()];
    const ended = limited(context, list, () => new Promise(() => undefined)) as Promise<unknown>;
    expect(list.map(({ signal }) => signal.aborted)).toEqual([false, false]);
    pass(1_020);
    await expect(ended).rejects.toMatchObject({ code: 'WARREN_HANDLER_TIMEOUT' });
    for (const { signal } of list) {
      expect(signal.aborted).toBe(true);
      expect(signal.reason).toMatchObject({ code: 'WARREN_HANDLER_TIMEOUT' });
    }
  });

  it.each([
    ['returned', () => Promise.resolve(1)],
    ['threw', () => Promise.reject(new Error('no'))],
  ])('leaves no deadline behind a handler that %s in time', async (_, work) => {
    const { context, deadlines } = withTimeout(1_000);
    const ended = limited(context, [delivered()], work) as Promise<unknown>;
    expect(deadlines.size).toBe(1);
    await ended.catch(() => undefined);
    expect(deadlines.size).toBe(0);
  });
});

describe('a handler', () => {
  it('gets bodies as large as maxMessageBytes, and none beyond', () => {
    const limits = settings({ maxMessageBytes: 1_000 });
    expect(unfit(delivered(1_000), limits)).toBeUndefined();
    expect(unfit(delivered(1_001), limits)).toMatchObject({ kind: 'dead-letter', reason: 'too-large' });
  });

  it('does not get what may have killed the process', () => {
    const delivery = delivered();
    delivery.run.poison = new Error('it kills');
    expect(unfit(delivery, settings({}))).toMatchObject({ kind: 'dead-letter', reason: 'poison' });
  });
});

describe('a request whose handler failed', () => {
  it.each([
    ['is retried when its caller still waits then', 999, 'retry'],
    ['is not when the time of its caller ends before', 1_000, 'dead-letter'],
    ['is retried, however late, when its caller gave no time', 3_600_000, 'retry', {}],
  ])('%s', (_, after, kind, headers: Record<string, unknown> = { [HEADER.timeLeft]: 1_000 }) => {
    const { context, deadlines } = withTimeout(0);
    const plan = { id: 'h', rpc: { known: new Map() }, queue: { name: 'q' } };
    const properties = { correlationId: 'c', headers };
    const message = { exchange: '', routingKey: 'q', content: Buffer.alloc(0), properties };
    const delivery = new Delivery(message as never, 'q', { settle: () => undefined, warn: () => undefined });
    delivery.run.arrivedAt = delivery.run.beganAt = 0;
    const calls = new ActiveCalls();
    const failed = { kind: 'retry' as const, after, attempt: 2, error: new Error('not yet') };
    const more = { plan, calls, deadlines, settings: settings({}), plugins: { none: true } };
    const handler = { ...context, ...more } as unknown as RpcContext;
    const run = reply(handler)(() => failed);
    expect(run(delivery)).toMatchObject({ kind, error: failed.error });
  });
});
