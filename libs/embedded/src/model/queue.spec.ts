import { describe, expect, it } from '@jest/globals';
import { toTable } from '../wire/plain.js';
import { changeProperties, NO_PROPERTIES, textProperty } from '../wire/properties.js';
import { type RabbitMQVersion, VERSIONS } from './version.js';
import type { Clock, Timer } from './clock.js';
import type { Consumer } from './consumers.js';
import { type Held, Message } from './message.js';
import { Queue } from './queue.js';
import { queueSettings } from './queue-settings.js';

/** A clock that stands still until a test moves it. */
class HandClock implements Clock {
  private time = 0;
  private timers: { at: number; action: () => void; timer: Timer }[] = [];

  now(): number {
    return this.time;
  }

  wall(): number {
    return 0;
  }

  wallSeconds(): number {
    return 0;
  }

  after(milliseconds: number, action: () => void): Timer {
    const timer = {} as Timer;
    this.timers.push({ at: this.time + milliseconds, action, timer });
    return timer;
  }

  cancel(timer: Timer): void {
    this.timers = this.timers.filter((one) => one.timer !== timer);
  }

  get running(): number {
    return this.timers.length;
  }

  move(milliseconds: number): void {
    const until = this.time + milliseconds;
    for (;;) {
      const next = this.timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.time = next.at;
      this.cancel(next.timer);
      next.action();
    }
    this.time = until;
  }
}

class Bench {
  readonly clock = new HandClock();
  readonly dead: string[] = [];
  held = 0;
  removed = false;
  readonly queue: Queue;

  constructor(args: Parameters<typeof toTable>[0] = {}, version: RabbitMQVersion = '4') {
    const traits = VERSIONS[version];
    const flags = { durable: true, exclusive: false, autoDelete: false };
    this.queue = new Queue('q', queueSettings('q', '/', flags, toTable(args), traits), undefined, {
      vhost: '/',
      clock: this.clock,
      traits,
      hold: () => (this.held += 1),
      release: () => (this.held -= 1),
      keep: () => 0,
      forget: () => undefined,
      deadLetter: (_, message, reason) => this.dead.push(`${String(message.body)} ${reason}`),
      remove: () => (this.removed = true),
    });
  }

  publish(...bodies: string[]): boolean[] {
    return bodies.map((body) => this.queue.publish(text(body)));
  }

  take(count = 1): Held[] {
    return Array.from({ length: count }, () => this.queue.take() as Held);
  }

  drain(): string[] {
    const bodies: string[] = [];
    for (let held = this.queue.take(); held; held = this.queue.take()) bodies.push(String(held.message.body));
    return bodies;
  }
}

function text(body: string, properties: { priority?: number; expiration?: string } = {}): Message {
  const raw = changeProperties(NO_PROPERTIES, [
    ['priority', properties.priority === undefined ? undefined : Buffer.from([properties.priority])],
    ['expiration', properties.expiration === undefined ? undefined : textProperty(properties.expiration)],
  ]);
  return new Message('', ['q'], raw, Buffer.from(body));
}

class Taker implements Consumer {
  readonly noAck = true;
  readonly exclusive = false;
  readonly prefetch = 0;
  readonly connection = 1;
  readonly holding = 0;
  open = true;

  constructor(
    readonly tag: string,
    private readonly log: string[],
    readonly priority = 0,
  ) {}

  ready(): boolean {
    return this.open;
  }

  deliver(held: Held): void {
    this.log.push(`${this.tag}:${String(held.message.body)}`);
  }

  cancelled(): void {
    this.log.push(`${this.tag} cancelled`);
  }
}

describe('The order of a queue', () => {
  it('is restored when messages come back in any order', () => {
    const bench = new Bench();
    bench.publish('a', 'b', 'c', 'd', 'e');
    const [a, b, c] = bench.take(3) as [Held, Held, Held];
    bench.queue.requeue([c], 'closed');
    bench.queue.requeue([a], 'closed');
    bench.queue.requeue([b], 'closed');
    expect(bench.drain()).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('of a quorum queue is that of coming back, before everything else', () => {
    const bench = new Bench({ 'x-queue-type': 'quorum' });
    bench.publish('a', 'b', 'c', 'd');
    const [a, b, c] = bench.take(3) as [Held, Held, Held];
    for (const held of [c, b, a]) bench.queue.requeue([held], 'closed');
    expect(bench.drain()).toEqual(['c', 'b', 'a', 'd']);
  });

  it('goes by priority first, capped at the highest', () => {
    const bench = new Bench({ 'x-max-priority': 2 });
    for (const [body, priority] of [
      ['low', 0],
      ['top', 9],
      ['mid', 1],
      ['also top', 2],
    ] as const) {
      bench.queue.publish(text(body, { priority }));
    }
    expect(bench.drain()).toEqual(['top', 'also top', 'mid', 'low']);
  });

  it('survives a hundred thousand messages requeued one by one', () => {
    const bench = new Bench();
    for (let n = 0; n < 100_000; n += 1) bench.publish(String(n));
    for (const held of bench.take(100_000)) bench.queue.requeue([held], 'closed');
    expect(bench.drain()).toEqual(Array.from({ length: 100_000 }, (_, n) => String(n)));
  });
});

describe('Consumers of a queue', () => {
  it('take turns, those of higher priority before the others', () => {
    const bench = new Bench();
    const log: string[] = [];
    const high = new Taker('high', log, 5);
    for (const consumer of [new Taker('one', log), high, new Taker('two', log)])
      bench.queue.addConsumer(consumer);
    bench.publish('a');
    high.open = false;
    bench.publish('b', 'c', 'd');
    expect(log).toEqual(['high:a', 'one:b', 'two:c', 'one:d']);
    expect(bench.held).toBe(0);
  });

  it('are active one at a time when the queue says so, and the next takes over', () => {
    const bench = new Bench({ 'x-single-active-consumer': true });
    const log: string[] = [];
    const [first, second] = [new Taker('first', log), new Taker('second', log)];
    bench.queue.addConsumer(first);
    bench.queue.addConsumer(second);
    bench.publish('a', 'b');
    bench.queue.removeConsumer(first);
    bench.publish('c');
    expect(log).toEqual(['first:a', 'first:b', 'second:c']);
  });

  it('are told when the queue goes, and nothing is held any more', () => {
    const bench = new Bench();
    const log: string[] = [];
    const consumer = new Taker('one', log);
    consumer.open = false;
    bench.queue.addConsumer(consumer);
    bench.publish('a', 'b');
    bench.queue.close();
    expect(log).toEqual(['one cancelled']);
    expect([bench.held, bench.clock.running]).toEqual([0, 0]);
  });
});

describe('Limits of a queue', () => {
  it('drop the oldest', () => {
    const bench = new Bench({ 'x-max-length': 2 });
    expect(bench.publish('a', 'b', 'c')).toEqual([true, true, true]);
    expect([bench.dead, bench.drain()]).toEqual([['a maxlen'], ['b', 'c']]);
  });

  it('count bytes of bodies', () => {
    const bench = new Bench({ 'x-max-length-bytes': 4 });
    bench.publish('aa', 'bb', 'ccc');
    expect(bench.drain()).toEqual(['ccc']);
  });

  it('drop what has expired behind what they drop', () => {
    const bench = new Bench({ 'x-max-length': 1 });
    bench.publish('stays');
    bench.queue.publish(text('soon', { expiration: '10' }));
    bench.clock.move(10);
    expect([bench.dead, bench.queue.length]).toEqual([['stays maxlen', 'soon expired'], 0]);
  });

  it('reject what comes too much, when told to', () => {
    const bench = new Bench({ 'x-max-length': 1, 'x-overflow': 'reject-publish' });
    expect(bench.publish('a', 'b')).toEqual([true, false]);
    expect([bench.dead, bench.drain()]).toEqual([[], ['a']]);
  });

  it('bury a message that came back once too often', () => {
    const bench = new Bench({ 'x-queue-type': 'quorum', 'x-delivery-limit': 1 });
    bench.publish('poison');
    bench.queue.requeue(bench.take(), 'closed');
    bench.queue.requeue(bench.take(), 'closed');
    expect([bench.dead, bench.drain()]).toEqual([['poison delivery_limit'], []]);
  });
});

describe('Expiry', () => {
  it('takes the sooner of the queue and the message', () => {
    const bench = new Bench({ 'x-message-ttl': 100 });
    bench.queue.publish(text('short', { expiration: '30' }));
    bench.publish('long');
    bench.clock.move(29);
    expect(bench.queue.length).toBe(2);
    bench.clock.move(1);
    expect(bench.dead).toEqual(['short expired']);
    bench.clock.move(70);
    expect(bench.dead).toEqual(['short expired', 'long expired']);
    expect(bench.held).toBe(0);
  });

  it('waits for the head of the queue, and comes at once when that is gone', () => {
    const bench = new Bench();
    bench.publish('head');
    bench.queue.publish(text('behind', { expiration: '10' }));
    bench.clock.move(50);
    expect(bench.dead).toEqual([]);
    bench.take();
    expect([bench.dead, bench.queue.length]).toEqual([['behind expired'], 0]);
  });

  it('comes before a consumer, also for what is behind the head', () => {
    const bench = new Bench();
    const log: string[] = [];
    bench.publish('head');
    bench.queue.publish(text('behind', { expiration: '10' }));
    bench.publish('last');
    bench.clock.move(10);
    bench.queue.addConsumer(new Taker('one', log));
    bench.queue.pump();
    expect([log, bench.dead]).toEqual([['one:head', 'one:last'], ['behind expired']]);
  });

  it('does not touch what is delivered, and does when it comes back', () => {
    const bench = new Bench({ 'x-message-ttl': 10 });
    bench.publish('a');
    const taken = bench.take();
    bench.clock.move(20);
    expect(bench.dead).toEqual([]);
    bench.queue.requeue(taken, 'closed');
    expect(bench.dead).toEqual(['a expired']);
  });

  it('removes an unused queue, and not one with a consumer', () => {
    const bench = new Bench({ 'x-expires': 100 });
    const consumer = new Taker('one', []);
    bench.clock.move(90);
    bench.queue.addConsumer(consumer);
    bench.clock.move(500);
    expect(bench.removed).toBe(false);
    bench.queue.removeConsumer(consumer);
    bench.clock.move(99);
    expect(bench.removed).toBe(false);
    bench.clock.move(1);
    expect(bench.removed).toBe(true);
  });

  it('waits longer than a single timer can', () => {
    const bench = new Bench({ 'x-message-ttl': 2 ** 32 });
    bench.publish('a');
    bench.clock.move(2 ** 32 - 1);
    expect(bench.queue.length).toBe(1);
    bench.clock.move(1);
    expect(bench.queue.length).toBe(0);
  });
});
