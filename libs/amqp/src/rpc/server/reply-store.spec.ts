// Stored replies have an end, and a bound in number and bytes.
import { describe, expect, it } from '@jest/globals';
import { systemClock } from '../../runtime/clock.js';
import { MemoryReplyStore } from './idempotency.js';

const reply = (bytes: number): { content: Buffer; contentType: string; request: string } => ({
  ...{ content: Buffer.alloc(bytes), contentType: 'text/plain', request: 'r' },
});

describe('replies in memory', () => {
  it('are gone when their time is over', () => {
    let now = 0;
    const store = new MemoryReplyStore({ ...systemClock, monotonic: () => now });
    store.set('a', reply(1), 100);
    now = 99;
    expect(store.get('a')).toBeDefined();
    now = 100;
    expect(store.get('a')).toBeUndefined();
  });

  it('have a maximum number, by default 10 000, and the oldest go first', () => {
    const store = new MemoryReplyStore(systemClock);
    for (let n = 0; n <= 10_000; n++) store.set(`${n}`, reply(1), 60_000);
    expect(store.get('0')).toBeUndefined();
    expect(store.get('1')).toBeDefined();
    expect(store.get('10000')).toBeDefined();
  });

  it('have so many bytes at most, by default 16 MiB, whatever replaced them', () => {
    const store = new MemoryReplyStore(systemClock);
    const MIB = 1024 * 1024;
    for (let n = 0; n < 40; n++) store.set('same', reply(MIB), 60_000);
    for (let n = 0; n < 16; n++) store.set(`${n}`, reply(MIB), 60_000);
    expect(store.get('same')).toBeUndefined();
    expect(store.get('0')).toBeDefined();
    store.set('more', reply(1), 60_000);
    expect(store.get('0')).toBeUndefined();
    expect(store.get('1')).toBeDefined();
    store.set('huge', reply(16 * MIB + 1), 60_000);
    expect(store.get('huge')).toBeUndefined();
    expect(store.get('1')).toBeDefined();
  });
});
