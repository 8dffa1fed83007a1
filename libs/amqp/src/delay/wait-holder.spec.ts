import { describe, expect, it } from '@jest/globals';
import type { Clock } from '../runtime/clock.js';
import type { ReceivedMessage } from '../message/message.js';
import { HELD_MOST, WaitHolder, type Acking, type Held, type WaitConsumerEvents } from './wait-holder.js';

const HOUR = 3_600_000;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

/** Moves by hand; the wall clock can be set apart. */
class Hands implements Clock {
  time = 1_000;
  skew = 0;
  private timers: { at: number; call: () => void }[] = [];
  wall = (): number => 1_700_000_000_000 + this.time + this.skew;
  monotonic = (): number => this.time;
  after = (ms: number, call: () => void): (() => void) => {
    const timer = { at: this.time + ms, call };
    this.timers.push(timer);
    return () => (this.timers = this.timers.filter((other) => other !== timer));
  };
  pass(ms: number): void {
    const end = this.time + ms;
    for (;;) {
      const [next] = this.timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.timers = this.timers.filter((other) => other !== next);
      this.time = Math.max(this.time, next.at);
      next.call();
    }
    this.time = end;
  }
  get pending(): number {
    return this.timers.length;
  }
}

/** A wait queue as RabbitMQ has it: first in first out, so many unacked, given back to its head in order. */
class Queue {
  ready: { name: string; due: number; redelivered: boolean }[] = [];
  /** How often a consumer came. */
  opened = 0;
  /** What it has read is answered, and what it may send is delivered, only when `work` is called. */
  busy = false;
  private readonly owed: (() => void)[] = [];
  most = 0;
  private unacked = new Map<number, { name: string; due: number; redelivered: boolean }>();
  private channel: (Acking & { alive: boolean }) | undefined;
  private events: WaitConsumerEvents | undefined;
  private tag = 0;

  constructor(private readonly clock: Hands) {}

  publish(name: string, step: number, publisherSkew = 0): void {
    this.ready.push({
      name,
      due: this.clock.wall() - this.clock.skew + publisherSkew + step,
      redelivered: false,
    });
    this.deliver();
  }

  consumer = (events: WaitConsumerEvents) => {
    this.events = events;
    return {
      start: () => this.open(),
      renew: () => this.lose(),
      close: () => (this.end(), Promise.resolve()),
    };
  };

  /** The channel is lost and comes back. */
  lose(): void {
    const channel = this.channel;
    this.end();
    if (channel) this.events?.onLost(channel);
    this.open();
  }

  work(): void {
    this.busy = false;
    for (const answer of this.owed.splice(0)) answer();
    this.deliver();
  }

  private open(): void {
    this.opened++;
    this.channel = {
      alive: true,
      acksAnswered: () => (this.busy ? new Promise((resolve) => this.owed.push(resolve)) : Promise.resolve()),
      ack: (tag) => {
        this.unacked.delete(tag);
        // The broker has it a moment later.
        if (!this.busy) this.clock.after(1, () => this.deliver());
        return true;
      },
    };
    this.events?.onOpen(this.ready.length);
    this.deliver();
  }

  private end(): void {
    if (this.channel) this.channel.alive = false;
    this.channel = undefined;
    const back = [...this.unacked.values()].map((one) => ({ ...one, redelivered: true }));
    this.ready = [...back, ...this.ready];
    this.unacked = new Map();
  }

  private deliver(): void {
    let taken = 0;
    while (this.channel && this.unacked.size < HELD_MOST && taken < this.ready.length) {
      const one = this.ready[taken++];
      this.unacked.set(++this.tag, one);
      this.most = Math.max(this.most, this.unacked.size);
      this.events?.onMessage(received(one, this.tag), this.channel);
    }
    this.ready.splice(0, taken);
  }
}

function received(
  one: { name: string; due: number; redelivered: boolean },
  deliveryTag: number,
): ReceivedMessage {
  return {
    ...{
      content: Buffer.from(one.name),
      exchange: 'w',
      routingKey: 'q',
      redelivered: one.redelivered,
      deliveryTag,
    },
    properties: { messageId: one.name, headers: { 'x-warren-due': one.due } },
  };
}

function bench(step: number, { holdMost = 300_000, moves = true } = {}) {
  const clock = new Hands();
  const queue = new Queue(clock);
  const moved: { name: string; at: number; lateBy: number }[] = [];
  const held: Held[] = [];
  const move = (one: Held): void => {
    held.push(one);
    if (!moves) return;
    moved.push({ name: String(one.message.content), at: clock.time, lateBy: one.lateBy });
    one.done();
  };
  const holder = new WaitHolder({ step, holdMost, clock, consumer: queue.consumer, move });
  return { clock, queue, moved, held, holder };
}

const at = (list: readonly { name: string; at: number }[]): [string, number][] =>
  list.map(({ name, at: when }) => [name, when - 1_000]);

describe('what waits', () => {
  it('is moved when it is due, in its order, and only then acked', () => {
    const { clock, queue, moved, holder } = bench(5_000);
    holder.start();
    queue.publish('a', 5_000);
    clock.pass(100);
    queue.publish('b', 5_000);
    clock.pass(4_899);
    expect(moved).toEqual([]);
    clock.pass(1_000);
    expect(at(moved)).toEqual([
      ['a', 5_000],
      ['b', 5_100],
    ]);
    expect(holder.size).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it.each([HOUR, -HOUR])(
    'waits as long as it should when its publisher has a clock that is %d ms off',
    (skew) => {
      const { clock, queue, moved, holder } = bench(5_000);
      holder.start();
      queue.publish('a', 5_000, skew);
      clock.pass(20_000);
      expect(at(moved)).toEqual([['a', 5_000]]);
    },
  );

  it('is moved at once when it was due while nobody was there, and its lateness is known', () => {
    const { clock, queue, moved, holder } = bench(5_000);
    queue.publish('a', 5_000);
    clock.pass(15_000);
    holder.start();
    clock.pass(1);
    expect(moved).toEqual([{ name: 'a', at: 16_000, lateBy: 10_000 }]);
  });

  it('of an earlier life never waits longer than its wait again, whatever the clocks say', () => {
    const { clock, queue, moved, holder } = bench(5_000);
    queue.publish('ahead', 5_000, HOUR);
    queue.publish('behind', 5_000, -HOUR);
    clock.pass(1_000);
    holder.start();
    clock.pass(20_000);
    expect(at(moved)).toEqual([
      ['behind', 1_000],
      ['ahead', 6_000],
    ]);
  });

  it.each([NaN, Infinity, -Infinity, 0, 1_700_000_000])(
    'of an earlier life that says it was due at %d waits its time, and is not late',
    (due) => {
      const { clock, queue, moved, holder } = bench(5_000);
      queue.ready.push({ name: 'a', due, redelivered: true });
      holder.start();
      clock.pass(20_000);
      expect(moved).toEqual([{ name: 'a', at: 6_000, lateBy: 0 }]);
    },
  );

  it('keeps its time when the channel is lost in between, also with wrong clocks', () => {
    const { clock, queue, moved, holder } = bench(5_000);
    holder.start();
    queue.publish('a', 5_000, HOUR);
    clock.pass(2_000);
    queue.lose();
    clock.pass(20_000);
    expect(at(moved)).toEqual([['a', 5_000]]);
    expect(queue.opened).toBe(2);
  });

  it('is given back while it is far from due, and taken again shortly before', () => {
    const { clock, queue, moved, holder } = bench(HOUR);
    holder.start();
    queue.publish('a', HOUR);
    expect([holder.size, holder.hungry]).toEqual([0, false]);
    expect(holder.nextDue).toBe(1_000 + HOUR);
    clock.pass(HOUR / 2);
    queue.publish('b', HOUR);
    clock.pass(HOUR / 2 - 10_001);
    expect([queue.opened, queue.ready.length]).toEqual([1, 2]);
    clock.pass(10_001);
    expect(at(moved)).toEqual([['a', HOUR]]);
    expect(queue.ready.map(({ name }) => name)).toEqual(['b']);
    clock.pass(HOUR / 2);
    expect(at(moved)[1]).toEqual(['b', HOUR * 1.5]);
    expect(queue.opened).toBe(3);
  });

  it('is never held longer than the broker allows, when there is always one that is due soon', () => {
    const { clock, queue, moved, holder } = bench(HOUR, { holdMost: 60_000 });
    const taken = new Map<string, number>();
    let longest = 0;
    const { onMessage, onLost } = holder;
    holder.onMessage = (message, channel) => {
      taken.set(String(message.content), clock.time);
      onMessage.call(holder, message, channel);
    };
    holder.onLost = (channel) => {
      taken.clear();
      onLost.call(holder, channel);
    };
    holder.start();
    for (let minute = 0; minute < 180; minute++) {
      queue.publish(String(minute), HOUR);
      for (let second = 0; second < 60; second++) {
        clock.pass(1_000);
        if (holder.size === 0) taken.clear();
        for (const since of taken.values()) longest = Math.max(longest, clock.time - since);
        for (const { name } of moved) taken.delete(name);
      }
    }
    expect(moved.length).toBeGreaterThanOrEqual(119);
    expect(
      moved.every(({ name, at: when }) => Math.abs(when - 1_000 - HOUR - Number(name) * 60_000) <= 1),
    ).toBe(true);
    expect(longest).toBeLessThanOrEqual(120_000);
  });

  it('holds so many and no more, and others come when those are gone: a hundred thousand in little time', () => {
    const { clock, queue, moved, holder } = bench(1_000);
    const many = 100_000;
    for (let n = 0; n < many; n++) queue.publish(String(n), 1_000);
    const began = process.cpuUsage();
    holder.start();
    clock.pass(60_000);
    expect(moved).toHaveLength(many);
    expect(moved.every(({ name }, n) => name === String(n))).toBe(true);
    expect(queue.most).toBe(HELD_MOST);
    // Work for each of those that are held would be a hundred times this processor time, in microseconds.
    expect(process.cpuUsage(began).user).toBeLessThan(20_000_000);
  });

  it('after more than it can hold, what comes counts from its publish, not from its arrival', () => {
    const { clock, queue, moved, holder } = bench(5_000);
    holder.start();
    for (let n = 0; n < 2 * HELD_MOST; n++) queue.publish(String(n), 5_000);
    clock.pass(5_100);
    expect(moved).toHaveLength(2 * HELD_MOST);
    clock.pass(10_000);
    queue.publish('fresh', 5_000, HOUR);
    clock.pass(5_000);
    expect(moved.at(-1)).toMatchObject({ name: 'fresh', at: 21_100 });
  });

  it('and is owed to it since then, counts from its publish too, however long the broker or this process is busy', async () => {
    const { clock, queue, moved, holder } = bench(5_000);
    holder.start();
    for (let n = 0; n < 3 * HELD_MOST; n++) queue.publish(String(n), 5_000);
    for (const round of [1, 2, 3]) {
      queue.busy = true;
      clock.pass(round === 1 ? 5_100 : 1);
      expect(moved).toHaveLength(round * HELD_MOST);
      await turn();
      clock.pass(6_000);
      queue.work();
      await turn();
    }
    expect(moved.every(({ lateBy }, n) => n < HELD_MOST || lateBy > 5_000)).toBe(true);
    // The acks of the last ones are answered.
    clock.pass(6_000);
    queue.publish('fresh', 5_000, -HOUR);
    clock.pass(5_000);
    expect(moved.at(-1)).toMatchObject({ name: 'fresh', lateBy: 0, at: clock.time });
  });

  it('that could not be moved is given back in the end, and taken again', () => {
    const { clock, queue, held, holder } = bench(1_000, { holdMost: 60_000, moves: false });
    holder.start();
    queue.publish('a', 1_000);
    clock.pass(119_000);
    expect(held).toHaveLength(1);
    clock.pass(3_000);
    expect([held.length, held[0].alive, held[1].alive]).toEqual([2, false, true]);
  });

  it('is forwarded at once when it is to run now, once and alone, and whoever asked learns that it arrived', async () => {
    const { clock, queue, moved, holder } = bench(60_000);
    holder.start();
    for (const name of ['a', 'b', 'c']) queue.publish(name, 60_000);
    clock.pass(1_000);
    const { key } = holder.messages[1];
    const both = [holder.runNow(key), holder.runNow(key)];
    expect(at(moved)).toEqual([['b', 1_000]]);
    expect(await both[0]).toBe(true);
    // It was gone by then.
    expect(both[1]).toBeUndefined();
    expect(holder.runNow('another')).toBeUndefined();
    clock.pass(60_000);
    expect(at(moved).slice(1)).toEqual([
      ['a', 60_000],
      ['c', 60_000],
    ]);
    expect([holder.size, queue.ready.length, clock.pending]).toEqual([0, 0, 0]);
  });

  it('and is to run now stays due when its channel is lost on the way, and its key is no other message', async () => {
    const { clock, queue, held, holder } = bench(60_000, { moves: false });
    holder.start();
    queue.publish('a', 60_000);
    queue.publish('b', 60_000);
    const { key } = holder.messages[0];
    const left = [holder.runNow(key)!, holder.runNow(key)!];
    queue.lose();
    expect(await Promise.all(left)).toEqual([false, false]);
    clock.pass(1);
    expect(held.map(({ message }) => String(message.content))).toEqual(['a', 'a']);
    expect(holder.runNow(key)).toBeUndefined();
    const again = holder.runNow(holder.messages[0].key);
    held[1].done();
    expect(await again).toBe(true);
    expect(holder.messages.map(({ message }) => String(message.content))).toEqual(['b']);
  });

  it('is given back at the end, and nothing comes after that', async () => {
    const { clock, queue, moved, holder } = bench(5_000);
    holder.start();
    queue.publish('a', 5_000);
    await holder.close();
    clock.pass(10_000);
    expect(moved).toEqual([]);
    expect(queue.ready.map(({ name }) => name)).toEqual(['a']);
    expect(clock.pending).toBe(0);
  });
});
