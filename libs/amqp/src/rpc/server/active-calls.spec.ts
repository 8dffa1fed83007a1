// Callers find the handlers that answer them, and only those.
import { describe, expect, it } from '@jest/globals';
import { systemClock } from '../../runtime/clock.js';
import { callsKey, readControl, writeControl } from '../../message/call-control.js';
import { Delivery } from '../../message/delivery.js';
import { Credit } from './reply-stream.js';
import { ActiveCalls } from './active-calls.js';

function delivery(call?: string): Delivery {
  const headers = call === undefined ? {} : { 'x-warren-call': call };
  const message = {
    ...{ exchange: '', routingKey: 'q', redelivered: false, deliveryTag: 1 },
    ...{ content: Buffer.alloc(0), properties: { headers } },
  };
  return new Delivery(message, 'q', { settle: () => undefined, warn: () => undefined });
}

describe('calls that are being answered', () => {
  it('stop when their caller leaves, and no others do', () => {
    const calls = new ActiveCalls();
    const [one, other] = [delivery(), delivery()];
    calls.add({ id: 'one', delivery: one });
    calls.add({ id: 'other', delivery: other });
    calls.onControl({ kind: 'cancel', id: 'one' });
    expect(one.signal.reason).toMatchObject({ code: 'WARREN_CALLER_LEFT' });
    expect(other.signal.aborted).toBe(false);
  });

  it('get the credit that is meant for them', async () => {
    const calls = new ActiveCalls();
    const credit = new Credit(1);
    credit.take();
    calls.add({ id: 'one', delivery: delivery(), credit });
    calls.onControl({ kind: 'credit', id: 'other', count: 1 });
    expect(credit.left).toBe(false);
    const more = credit.more();
    calls.onControl({ kind: 'credit', id: 'one', count: 1 });
    await more;
    expect(credit.left).toBe(true);
    expect(calls.size).toBe(1);
  });

  it('tell their callers the new address when this process gets one', () => {
    const calls = new ActiveCalls();
    const credit = new Credit(1);
    let told = 0;
    credit.signOfLife = () => void told++;
    const call = { id: 'one', delivery: delivery(), credit };
    calls.add(call);
    calls.controlQueue = '';
    expect(told).toBe(0);
    calls.controlQueue = 'a.control.00000000';
    calls.remove(call);
    calls.controlQueue = 'a.control.00000001';
    expect(told).toBe(1);
  });

  it('are forgotten when they end, unless another one took their id', () => {
    const calls = new ActiveCalls();
    const [first, second] = ['one', 'one'].map((id) => ({ id, delivery: delivery() }));
    calls.add(first);
    calls.add(second);
    calls.remove(first);
    expect(calls.size).toBe(1);
    calls.remove(second);
    expect(calls.size).toBe(0);
  });

  it('are not begun when their caller left before, which is remembered for so many', () => {
    const calls = new ActiveCalls();
    for (let n = 0; n <= 10_000; n++) calls.onControl({ kind: 'cancel', id: `c${n}` });
    expect(calls.hasLeft('c0', delivery())).toBe(false);
    expect(calls.hasLeft('c1', delivery())).toBe(true);
    expect(calls.hasLeft('c1', delivery())).toBe(false);
    expect(calls.hasLeft('c10000', delivery())).toBe(true);
  });

  it('are begun when that was said a minute ago', () => {
    let now = 0;
    const calls = new ActiveCalls({ ...systemClock, monotonic: () => now });
    calls.onControl({ kind: 'cancel', id: 'early' });
    now = 59_999;
    calls.onControl({ kind: 'cancel', id: 'late' });
    now = 60_000;
    expect(calls.hasLeft('early', delivery())).toBe(false);
    expect(calls.hasLeft('late', delivery())).toBe(true);
  });

  it('are not stopped, and are begun, when a call left that had the same id', () => {
    const calls = new ActiveCalls();
    const [first, second] = ['1', '2'].map((call) => ({ id: 'one', delivery: delivery(call) }));
    calls.onControl({ kind: 'cancel', id: 'one', call: '0' });
    expect(calls.hasLeft('one', first.delivery)).toBe(false);
    expect(calls.hasLeft('one', delivery('0'))).toBe(true);
    calls.add(first);
    calls.add(second);
    calls.onControl({ kind: 'cancel', id: 'one', call: '0' });
    expect([first, second].map(({ delivery: { signal } }) => signal.aborted)).toEqual([false, false]);
    calls.onControl({ kind: 'cancel', id: 'one', call: '1' });
    expect([first, second].map(({ delivery: { signal } }) => signal.aborted)).toEqual([true, false]);
    // Other programs do not say which.
    calls.onControl({ kind: 'cancel', id: 'one' });
    expect(second.delivery.signal.aborted).toBe(true);
    calls.onControl({ kind: 'cancel', id: 'other' });
    expect(calls.hasLeft('other', delivery('3'))).toBe(true);
  });
});

describe('what callers say', () => {
  it('is read as it was written', () => {
    for (const control of [
      { kind: 'cancel', id: 'a' },
      { kind: 'cancel', id: 'a', call: 'b' },
      { kind: 'credit', id: 'a', count: 32 },
    ] as const) {
      expect(readControl(writeControl(control))).toEqual(control);
    }
  });

  it.each([
    '',
    '{',
    'null',
    '[]',
    '{"kind":"cancel"}',
    '{"kind":"cancel","id":5}',
    '{"kind":"cancel","id":"a","call":5}',
    '{"kind":"stop","id":"a"}',
  ])('%s is no word of theirs', (text) => expect(readControl(Buffer.from(text))).toBeUndefined());

  it.each([0, -1, 1.5, '"7"', 'null', '1e99'])('a credit of %s is none', (count) => {
    expect(readControl(Buffer.from(`{"kind":"credit","id":"a","count":${count}}`))).toBeUndefined();
  });

  it('has the key of the request, if a key may be so long', () => {
    expect(callsKey('', 'price.quote')).toBe('.price.quote');
    expect(callsKey('shop', 'price.quote')).toBe('shop.price.quote');
    expect(callsKey('shop', 'é'.repeat(128))).toBeUndefined();
    expect(readControl(Buffer.from(`{"kind":"cancel","id":"${'a'.repeat(2_000)}"}`))).toBeUndefined();
  });
});
