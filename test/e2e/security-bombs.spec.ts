// Attacks by small messages that come to much: a few bytes that unfold to megabytes, and bodies of brackets alone, which
// take seconds to parse and a hundred times their size in memory. The process goes on meanwhile.

import { brotliCompressSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { rejection, taken, warren } from '../support/warren.js';

const sum = (numbers: readonly number[]): number => numbers.reduce((total, each) => total + each, 0);
const MIB = 1024 * 1024;
const json = 'application/json';
const brackets = (bytes: number): Buffer => Buffer.from(`[${'[],'.repeat(bytes / 3)}[]]`);

/** The longest time in which nothing else could run, since it was asked last. */
let stall = 0;
let last = performance.now();
let watch: NodeJS.Timeout;
beforeEach(() => {
  watch = setInterval(() => {
    stall = Math.max(stall, performance.now() - last - 5);
    last = performance.now();
  }, 5);
});
afterEach(() => clearInterval(watch));

// Made once: that takes seconds.
const LARGEST = brotliCompressSync(brackets(16 * MIB));
const BOMBS: [string, Buffer, string | undefined][] = [
  ['31 bytes of br that are 16 MiB of brackets', LARGEST, 'br'],
  ['gzip that is 16 MiB of brackets', gzipSync(brackets(16 * MIB)), 'gzip'],
  ['gzip that is 300 MiB of zeros', gzipSync(Buffer.alloc(300 * MIB)), 'gzip'],
  ['4 MiB of brackets, not compressed', brackets(4 * MIB), undefined],
  ['4 MiB of brackets without a type', brackets(4 * MIB), ''],
];

onEachBroker('a bomb', (broker) => {
  it.each(BOMBS)('%s: dead-lettered unread, and nothing stands still', async (_name, body, encoding) => {
    const runs = new Collector<unknown>();
    await warren(broker.url)
      .consume('bombs', ({ payload }) => void runs.push(payload))
      .open();
    const channel = await (await broker.connect()).createChannel();
    const properties = {
      ...(encoding ? { contentEncoding: encoding } : {}),
      ...(encoding === '' ? {} : { contentType: json }),
    };
    const before = process.memoryUsage().arrayBuffers;
    [stall, last] = [0, performance.now()];
    const COUNT = 4;
    for (let n = 0; n < COUNT; n++) channel.sendToQueue('bombs', body, properties);
    channel.sendToQueue('bombs', Buffer.from('1'), { contentType: json });
    expect(await runs.one()).toEqual(1);
    for (let n = 0; n < COUNT; n++) {
      const dead = await taken(broker, 'bombs.dead');
      expect(dead.properties.headers).toMatchObject({ 'x-warren-reason': 'undecodable' });
      expect(dead.content.equals(body)).toBe(true);
    }
    if (process.env.WARREN_FIGURES) {
      console.log({ stall, grown: (process.memoryUsage().arrayBuffers - before) / MIB });
    }
    // Of four: each was 2.6 s on a quiet machine, and a busy one is slow at everything.
    expect(stall).toBeLessThan(8_000);
    expect(runs.size).toBe(1);
  });

  it('as a request is answered with an error, as a reply ends the call with one', async () => {
    const server = await warren(broker.url)
      .rpc('bombed', () => 'never')
      .open();
    const options = { contentType: json, headers: {} };
    const channel = await (await broker.connect()).createChannel();
    const { queue } = await channel.assertQueue('', { exclusive: true });
    channel.sendToQueue('bombed', LARGEST, { contentType: json, contentEncoding: 'br', replyTo: queue });
    const answer = await until(() => channel.get(queue, { noAck: true }), 'the answer');
    expect(JSON.parse(answer.content.toString())).toMatchObject({ code: 'WARREN_DECODE' });
    await channel.assertQueue('bomber');
    await channel.consume('bomber', (message) => {
      const { replyTo, correlationId } = (message as NonNullable<typeof message>).properties;
      channel.sendToQueue(replyTo as string, LARGEST, {
        ...{ ...options, contentEncoding: 'br', correlationId: correlationId as string },
      });
    });
    expect(await rejection(server.broker.request('bomber', 1))).toMatchObject({ code: 'WARREN_DECODE' });
  });

  it('takes no more memory with others than maxDecodedBytes, one by one and in batches', async () => {
    const running = { now: 0, most: 0 };
    const done = new Collector<number>();
    const ends: (() => void)[] = [];
    // Each may unfold to 1 MiB.
    const options = { maxDecodedBytes: 2 * MIB, prefetch: 30 };
    const rabbit = await warren(broker.url, options)
      .consume('budget', async () => {
        running.most = Math.max(running.most, ++running.now);
        await new Promise<void>((resolve) => ends.push(resolve));
        running.now--;
        done.push(1);
      })
      .batch('budget.batch', (list) => void done.push(list.length), { batch: { size: 10, wait: '500ms' } })
      .open();
    const body = { contentEncoding: 'gzip' as const };
    for (let n = 0; n < 6; n++) await rabbit.broker.send('budget', 'x', body);
    for (let n = 0; n < 6; n++) {
      await until(() => ends.length > 0, 'a handler to begin');
      ends.shift()?.();
    }
    await done.take(6);
    expect(running.most).toBe(2);
    await Promise.all(Array.from({ length: 6 }, () => rabbit.broker.send('budget.batch', 'x', body)));
    await until(() => sum(done.all) === 12, 'all of the batches');
    expect(Math.max(...done.all.slice(6))).toBe(2);
  });

  it('is not what honest senders compress', async () => {
    const rows = Array.from({ length: 20_000 }, (_, n) => ({ id: n, name: `row ${n}`, on: n % 2 === 0 }));
    const runs = new Collector<unknown>();
    const rabbit = await warren(broker.url)
      .consume('honest', ({ payload }) => void runs.push(payload))
      .open();
    for (const contentEncoding of ['gzip', 'deflate', 'br'] as const) {
      await rabbit.broker.send('honest', rows, { contentEncoding });
      expect(await runs.one()).toEqual(rows);
    }
    await rabbit.broker.send('honest', rows);
    expect(await runs.one()).toEqual(rows);
  });
});
