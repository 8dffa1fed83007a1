// What a list promises, with a sender that is the test: order, outcomes, how much is under way, and when it gives up.

import { describe, expect, it } from '@jest/globals';
import { CodecRegistry } from '../message/codecs/codecs.js';
import { event, queue } from '../message/contract.js';
import { currentDelivery } from '../message/current-delivery.js';
import type { Delivery } from '../message/delivery.js';
import type { OutgoingMessage } from '../message/message.js';
import { settings } from '../options/settings.js';
import type { PublishOptions } from '../options/publish-options.js';
import type { SendLimits, SendResult } from './pending-send.js';
import { publishMany } from './publish-many.js';
import { Publisher } from './publisher.js';

interface Sent {
  readonly message: OutgoingMessage;
  readonly limits: SendLimits;
  readonly result: SendResult;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A publisher whose messages stay under way until the test says otherwise. */
function publishing({ space = () => true, none = true }: { space?: () => boolean; none?: boolean } = {}) {
  const sent: Sent[] = [];
  const pauses: (() => void)[] = [];
  const seen: unknown[] = [];
  let now = 0;
  const all = settings({ service: 's' });
  const sender = {
    hasSpace: space,
    deadlines: { set: (_ms: number, after: () => void) => pauses.push(after) },
    send: (message: OutgoingMessage, limits: SendLimits, result: SendResult) =>
      sent.push({ message, limits, result }),
  };
  const publisher = new Publisher({
    settings: all,
    clock: { monotonic: () => now, wall: () => now },
    codecs: new CodecRegistry(() => [], all),
    senders: { main: sender, of: () => sender },
    exchangeCache: { isKnown: () => true },
    events: { hasListeners: () => false },
    plugins: {
      none,
      publish: (leaving: { kind: string; message: OutgoingMessage; template?: string }, send: unknown) => {
        seen.push({ kind: leaving.kind, template: leaving.template });
        return (send as (message: OutgoingMessage) => Promise<unknown>)(leaving.message);
      },
    },
  } as never);
  const many = (list: unknown, options?: PublishOptions, kind: 'publish' | 'send' = 'send') =>
    publishMany(publisher, kind, list, options);
  const pass = (ms: number): void => void (now += ms);
  return { sent, pauses, seen, many, pass };
}

const numbered = (count: number): { target: string; payload: number }[] =>
  Array.from({ length: count }, (_, payload) => ({ target: 'q', payload }));

const bodies = (sent: readonly Sent[]): unknown[] =>
  sent.map(({ message }) => JSON.parse(message.content.toString()));

const codes = (outcomes: readonly { error?: Error | undefined }[]): (string | undefined)[] =>
  outcomes.map(({ error }) => error && ((error as { code?: string }).code ?? error.name));

describe('a list of messages', () => {
  it('has its outcomes in its own order, whatever the order of the answers', async () => {
    const { sent, many } = publishing();
    const outcomes = many([
      { target: 'a', payload: 1, options: { messageId: 'first' } },
      { target: 'b', payload: 2, options: { messageId: 'second' } },
      { target: 'c', payload: 3, options: { messageId: 'third', mandatory: false } },
    ]);
    expect(sent.map(({ message }) => message.routingKey)).toEqual(['a', 'b', 'c']);
    sent[2].result.onSent(false, 0, 0);
    sent[1].result.onSent(false, 0, 0);
    sent[0].result.onSent(true, 1, 2);
    expect(await outcomes).toEqual([
      { receipt: { routed: true, messageId: 'first', resent: 1, nacked: 2 } },
      { error: expect.objectContaining({ code: 'WARREN_UNROUTABLE', messageId: 'second' }) },
      { receipt: { routed: false, messageId: 'third' } },
    ]);
  });

  it('goes on behind a message that is broken', async () => {
    const { sent, many } = publishing();
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    const outcomes = many([
      { target: 'q', payload: cycle },
      null,
      { target: 'q'.repeat(300), payload: 1 },
      { payload: 1 },
      { target: 'q', payload: 1, options: { timeout: 'soon' } },
      { target: 'q', payload: 'good' },
    ]);
    await turn();
    expect(sent.map(({ message }) => message.content.toString())).toEqual(['good']);
    sent[0].result.onSent(true, 0, 0);
    const found = await outcomes;
    expect(found.map(({ receipt }) => receipt?.routed)).toEqual([...Array(5).fill(undefined), true]);
    expect(found.slice(0, 5).every(({ error }) => error instanceof Error)).toBe(true);
  });

  it('takes its own options before those of the list, and is in an exchange only when published', async () => {
    const { sent, many } = publishing();
    const list = [
      { target: 'k', payload: 1 },
      { target: 'k', payload: 2, options: { exchange: 'own', priority: 3, timeout: 5 } },
    ];
    void many(list, { priority: 1, exchange: 'common' }, 'publish');
    void many(list, { exchange: 'common' }, 'send');
    await turn();
    expect(sent.map(({ message }) => [message.exchange, message.properties.priority])).toEqual([
      ['common', 1],
      ['own', 3],
      ['', undefined],
      ['', 3],
    ]);
    expect(sent.map(({ limits }) => limits.given)).toEqual([10_000, 5, 10_000, 5]);
  });

  it('has at most 1000 messages under way, and the next ones follow when half of them have an outcome', async () => {
    const { sent, many } = publishing();
    const list = numbered(2_200);
    const outcomes = many(list);
    // What becomes of the array does not matter.
    list.length = 0;
    expect(sent).toHaveLength(1_000);
    for (const { result } of sent.slice(0, 499)) result.onSent(true, 0, 0);
    await turn();
    expect(sent).toHaveLength(1_000);
    sent[499].result.onSent(true, 0, 0);
    await turn();
    expect(sent).toHaveLength(1_500);
    for (let at = 500; at < sent.length; at++) {
      sent[at].result.onSent(true, 0, 0);
      if (at % 100 === 0) await turn();
    }
    expect(await outcomes).toHaveLength(2_200);
    expect(bodies(sent)).toEqual(numbered(2_200).map(({ payload }) => payload));
  });

  it('waits while there is no space, for its own messages or else for those of others', async () => {
    let space = true;
    const { sent, many, pauses } = publishing({ space: () => space });
    const outcomes = many(numbered(3));
    expect(sent).toHaveLength(3);
    space = false;
    const more = many(numbered(2));
    await turn();
    expect([sent.length, pauses.length]).toEqual([3, 1]);
    pauses[0]();
    await turn();
    expect([sent.length, pauses.length]).toEqual([3, 2]);
    space = true;
    pauses[1]();
    await turn();
    expect(bodies(sent)).toEqual([0, 1, 2, 0, 1]);
    for (const { result } of sent) result.onSent(true, 0, 0);
    expect(codes([...(await outcomes), ...(await more)])).toEqual(Array(5).fill(undefined));
  });

  it('is given up when the broker accepts none of its messages for the time of one', async () => {
    const { sent, many, pass } = publishing();
    const outcomes = many(numbered(3_000), { timeout: 100 });
    pass(60);
    for (const { result } of sent.slice(0, 500)) result.onSent(true, 0, 0);
    await turn();
    expect(sent).toHaveLength(1_500);
    pass(60);
    for (const { result } of sent.slice(500, 1_000)) result.onFailed(new Error('its time is over'));
    await turn();
    // The broker accepted some 60 ms ago.
    expect(sent).toHaveLength(2_000);
    pass(40);
    for (const { result } of sent.slice(1_000, 1_500)) result.onFailed(new Error('its time is over'));
    await turn();
    expect(sent).toHaveLength(2_000);
    for (const { result } of sent.slice(1_500)) result.onSent(true, 0, 0);
    const found = await outcomes;
    expect(codes(found.slice(0, 2_000))).toEqual([
      ...Array(500).fill(undefined),
      ...Array(1_000).fill('Error'),
      ...Array(500).fill(undefined),
    ]);
    expect(codes(found.slice(2_000))).toEqual(Array(1_000).fill('WARREN_PUBLISH_TIMEOUT'));
  });

  it('goes on while the broker answers, even if no queue wants them', async () => {
    const { sent, many, pass } = publishing();
    const outcomes = many(numbered(2_000), { timeout: 100 });
    for (let at = 0; at < 2_000; at += 500) {
      pass(90);
      for (const { result } of sent.slice(at, at + 500)) result.onSent(false, 0, 0);
      await turn();
    }
    expect(codes(await outcomes)).toEqual(Array(2_000).fill('WARREN_UNROUTABLE'));
  });

  it('checks contracts, each payload alone, and keeps the order', async () => {
    const { sent, many, seen } = publishing({ none: false });
    const payload = {
      '~standard': {
        ...{ version: 1, vendor: 'test' },
        validate: (value: unknown) => (value === 'bad' ? { issues: [{ message: 'it is bad' }] } : { value }),
      },
    } as const;
    const placed = event('order.{id}.placed', { payload: payload as never });
    const outcomes = many(
      [
        { target: placed, payload: 1, options: { params: { id: 7 } } },
        { target: placed, payload: 'bad', options: { params: { id: 8 } } },
        { target: placed, payload: 2 },
        { target: 'plain', payload: 3 },
        { target: queue('jobs'), payload: 4 },
      ],
      {},
      'publish',
    );
    while (sent.length < 3) await turn();
    expect(sent.map(({ message }) => message.routingKey)).toEqual(['order.7.placed', 'plain', 'jobs']);
    expect(seen).toEqual([
      { kind: 'publish', template: 'order.{id}.placed' },
      { kind: 'publish', template: undefined },
      { kind: 'publish', template: undefined },
    ]);
    for (const { result } of sent) result.onSent(true, 0, 0);
    expect(codes(await outcomes)).toEqual([
      ...[undefined, 'WARREN_ENCODE', 'WARREN_ENCODE', undefined, undefined],
    ]);
  });

  it('belongs to the delivery in whose handler it was published, to its last message', async () => {
    const { sent, many } = publishing();
    const delivery = {
      correlationId: 'c-1',
      headers: {},
      message: { properties: {} },
    } as unknown as Delivery;
    const outcomes = currentDelivery.run(delivery, () => many(numbered(1_200)));
    for (const { result } of sent.slice(0, 500)) result.onSent(true, 0, 0);
    await turn();
    expect(sent.at(-1)?.message.properties.correlationId).toBe('c-1');
    for (const { result } of sent.slice(500)) result.onSent(true, 0, 0);
    await outcomes;
  });

  it('may be empty, but must be an array, with options that are valid', async () => {
    const { many } = publishing();
    expect(await many([])).toEqual([]);
    await expect(many('list')).rejects.toMatchObject({ code: 'WARREN_CONFIG' });
    await expect(many([], { timeout: 'soon' as never })).rejects.toMatchObject({ code: 'WARREN_CONFIG' });
  });
});
