// Calls under way: what ends them, what they hold, and what they leave behind.
import { getEventListeners } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { Deadlines, systemClock } from '../../runtime/clock.js';
import type { OutgoingMessage, ReceivedMessage } from '../../message/message.js';
import { Call, PendingCalls } from './call.js';
import { GatherCall, type GatherResult } from './gather.js';
import { Cancellation } from './cancellation.js';

const message = {
  ...{ exchange: '', routingKey: 'q', content: Buffer.alloc(0), mandatory: true },
  properties: { correlationId: 'c' },
} as OutgoingMessage;

const reply = (run: string | undefined, bytes = 1): ReceivedMessage =>
  ({
    content: Buffer.alloc(bytes),
    properties: { correlationId: 'c', headers: run === undefined ? {} : { 'x-warren-run': run } },
  }) as unknown as ReceivedMessage;

function calling(
  signal?: AbortSignal,
  settled: unknown[] = [],
  resends = 0,
  again: () => void = () => undefined,
  request = message,
): Call {
  const deadlines = new Deadlines(systemClock);
  const by = { deadlines, clock: systemClock, whyUnsent: () => undefined, again, ended: () => undefined };
  const reading = { codecs: undefined as never, codec: undefined, known: new Map(), maxBytes: 1_000 };
  const cancellation = new Cancellation(signal, undefined, systemClock);
  const options = { message: request, timeout: 60_000, cancellation, reading, resends };
  return new Call(
    options,
    by,
    (value) => settled.push(value),
    (error) => settled.push(error),
  );
}

function gathering(
  expect: number,
  maxBytes = 1_000_000,
  signal?: AbortSignal,
): { call: GatherCall; results: GatherResult[] } {
  const results: GatherResult[] = [];
  const call = new GatherCall({
    ...{ message, timeout: 60_000, expect, maxBytes, whyUnsent: () => undefined },
    cancellation: new Cancellation(signal, undefined, systemClock),
    deadlines: new Deadlines(systemClock),
    keep: ({ content }) => ({ bytes: content.length, part: () => ({ kind: 'end' }) }),
    onEnd: (result) => results.push(result),
  });
  return { call, results };
}

describe('a call', () => {
  it('leaves no listener on a signal that lives longer', () => {
    const { signal } = new AbortController();
    const call = calling(signal);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    call.onReply(reply(undefined));
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it.each([
    [0, 'that is not idempotent is not sent twice'],
    [1, 'that is idempotent is sent twice at most'],
  ])('(sent again %d times) %s', (resends) => {
    const settled: unknown[] = [];
    let again = 0;
    const call = calling(undefined, settled, resends, () => again++);
    for (let n = 0; n <= resends; n++) call.onLost('gone');
    expect([again, settled]).toMatchObject([resends, [{ code: 'WARREN_RPC_CONNECTION_LOST' }]]);
  });

  it('that was sent and lost does not end as one that was never sent', () => {
    const settled: unknown[] = [];
    const call = calling(undefined, settled, 1);
    call.onLost('gone');
    call.giveUp(new Error('closed before the call could be sent'));
    expect(settled).toMatchObject([{ code: 'WARREN_RPC_CONNECTION_LOST' }]);
  });

  it('that was sent before does not end as one that has surely not run when nobody has its queue now', () => {
    const settled: unknown[] = [];
    const call = calling(undefined, settled, 1);
    call.onLost('gone');
    call.onReturned();
    expect(settled).toMatchObject([{ code: 'WARREN_RPC_CONNECTION_LOST' }]);
    const first: unknown[] = [];
    calling(undefined, first, 1).onReturned();
    expect(first).toMatchObject([{ code: 'WARREN_RPC_NO_SERVER' }]);
  });

  it('gets no reply to a call that had its id before it, and every one that does not say to which it is', () => {
    const pendingCalls = new PendingCalls();
    const properties = { correlationId: 'c', headers: { 'x-warren-call': '2' } };
    const call = calling(undefined, [], 0, undefined, { ...message, properties });
    call.sent = true;
    pendingCalls.add(call);
    const waiting = (headers?: object): unknown =>
      pendingCalls.waitingFor({ ...reply(undefined), properties: { correlationId: 'c', headers } } as never);
    expect(waiting({ 'x-warren-call': '1' })).toBeUndefined();
    for (const headers of [{ 'x-warren-call': '2' }, {}, undefined]) expect(waiting(headers)).toBe(call);
  });

  it('that waits to be sent outlives the loss of the channel; one that was sent does not', () => {
    const pendingCalls = new PendingCalls();
    const settled: unknown[] = [];
    const { signal } = new AbortController();
    const call = calling(signal, settled);
    pendingCalls.add(call);
    pendingCalls.lost('gone');
    expect(settled).toEqual([]);
    call.sent = true;
    pendingCalls.lost('gone');
    expect(settled).toMatchObject([{ code: 'WARREN_RPC_CONNECTION_LOST' }]);
  });
});

describe('a gathering call', () => {
  it('leaves no listener on a signal that lives longer', () => {
    const { signal } = new AbortController();
    const { call } = gathering(1, 1_000, signal);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    call.onReply(reply('a'));
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  it('counts each instance once', () => {
    const { call, results } = gathering(2);
    call.onReply(reply('a'));
    call.onReply(reply('a'));
    expect(results).toEqual([]);
    call.onReply(reply('b'));
    expect(results).toMatchObject([{ replies: [{}, {}] }]);
  });

  it('takes 10 000 answers at most, whatever is expected', () => {
    const { call, results } = gathering(Infinity);
    for (let n = 1; n < 10_000; n++) call.onReply(reply(`${n}`));
    expect(results).toEqual([]);
    call.onReply(reply('last'));
    expect(results).toHaveLength(1);
  });

  it('holds so many bytes at most', () => {
    const { call, results } = gathering(Infinity, 10);
    call.onReply(reply('a', 10));
    expect(results).toEqual([]);
    call.onReply(reply('b', 1));
    expect(results).toMatchObject([{ error: { code: 'WARREN_RPC_PROTOCOL' }, left: true }]);
  });
});
