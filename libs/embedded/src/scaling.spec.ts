// What an operation costs must not depend on how much is there: messages, bindings, consumers, queues, channels.
// The processor time of the same number of operations is compared, small against large, in this process. What grows
// with the size would be a hundred times dearer and more; the bound of 15 allows for caches and a busy machine.
import { describe, expect, it } from '@jest/globals';
import type { Clock, Timer } from './model/clock.js';
import type { Consumer } from './model/consumers.js';
import { MemoryMeter } from './model/memory-meter.js';
import { type Held, Message } from './model/message.js';
import type { Queue } from './model/queue.js';
import { VERSIONS } from './model/version.js';
import { VirtualHost } from './model/virtual-host.js';
import type { Channel } from './server/channel.js';
import { Channels } from './server/channels.js';
import { Confirms } from './server/confirms.js';
import type { Connection } from './server/connection.js';
import type { Outbox } from './server/outbox.js';
import { Unacked } from './server/unacked.js';
import { encodeTable } from './wire/field-table.js';
import { type Plain, toTable } from './wire/plain.js';
import {
  changeProperties,
  NO_PROPERTIES as NOTHING,
  tableProperty,
  textProperty,
} from './wire/properties.js';

const NO_PROPERTIES: Buffer = NOTHING;
const BOUND = 15;
const TRIES = 6;
const OPERATIONS = 2000;

type Operation = (n: number) => void;

/** Microseconds of processor time that so many operations take. */
function cost(operation: Operation, count = OPERATIONS): number {
  const before = process.cpuUsage();
  for (let n = 0; n < count; n += 1) operation(n);
  const { user, system } = process.cpuUsage(before);
  return Math.max(user + system, 1);
}

/** Cheap enough to stand inside of what is measured. */
function must(holds: boolean): void {
  if (!holds) throw new Error('the operation did not do what it should');
}

/** How many times dearer the second is than the first, each at its best. */
function growth(small: () => number, large: () => number): number {
  let [low, high] = [Infinity, Infinity];
  small(); // compiled now, or the first comparison would flatter the large one
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    low = Math.min(low, small());
    high = Math.min(high, large());
    if (high / low < BOUND) break;
  }
  return high / low;
}

/** Compares an operation on what `prepare` makes of a small and of a large size. */
function expectNoGrowth(small: number, large: number, prepare: (size: number) => Operation): void {
  const [few, many] = [prepare(small), prepare(large)];
  expect(
    growth(
      () => cost(few),
      () => cost(many),
    ),
  ).toBeLessThan(BOUND);
}

/** Compares, per piece, work that is done once for all pieces. */
function expectSamePerPiece(small: number, large: number, prepare: (size: number) => () => void): void {
  const piece = (size: number) => () => cost(prepare(size), 1) / size;
  expect(growth(piece(small), piece(large))).toBeLessThan(BOUND);
}

class Stand {
  time = 0;
  alarms: (() => void)[] = [];
  readonly vhost: VirtualHost;

  constructor() {
    const clock: Clock = {
      now: () => this.time,
      wall: () => 0,
      wallSeconds: () => 0,
      after: (_milliseconds, action) => {
        this.alarms = [action];
        return {} as Timer;
      },
      cancel: () => undefined,
    };
    this.vhost = new VirtualHost('/', clock, new MemoryMeter(Infinity, () => undefined), VERSIONS['4']);
  }

  queue(name: string, table: { readonly [name: string]: Plain } = {}, exclusive = false): Queue {
    const flags = { durable: false, exclusive, autoDelete: false };
    return this.vhost.declare(name, flags, toTable(table), this);
  }

  publish(key: string, properties = NO_PROPERTIES, exchange = ''): void {
    this.vhost.publish(new Message(exchange, [key], properties, Buffer.alloc(1)));
  }

  bind(type: string, queue: Queue, key: string, table: { readonly [name: string]: Plain } = {}): void {
    const { exchanges } = this.vhost;
    exchanges.bind(exchanges.get(`amq.${type}`), queue, key, toTable(table));
  }

  unbind(type: string, queue: Queue, key: string, table: { readonly [name: string]: Plain } = {}): void {
    this.vhost.exchanges.unbind(`amq.${type}`, queue, key, toTable(table));
  }
}

const withPriority = (n: number): Buffer =>
  changeProperties(NO_PROPERTIES, [['priority', Buffer.from([n % 256])]]);
const withHeaders = (headers: { readonly [name: string]: Plain }): Buffer =>
  changeProperties(NO_PROPERTIES, [['headers', tableProperty(encodeTable(toTable(headers)))]]);

describe('A message costs the same with 100 and with 100 000 waiting', () => {
  const expires = changeProperties(NO_PROPERTIES, [['expiration', textProperty('60000')]]);
  it.each<[string, { readonly [name: string]: Plain }, (n: number) => Buffer]>([
    ['a queue', {}, () => NO_PROPERTIES],
    ['a queue with priorities', { 'x-max-priority': 255 }, withPriority],
    ['a queue with a time to live', { 'x-message-ttl': 60_000 }, () => expires],
    ['a quorum queue', { 'x-queue-type': 'quorum', 'x-delivery-limit': 1e6 }, () => NO_PROPERTIES],
  ])('in %s, taken, given back and settled', (_title, table, properties) => {
    expectNoGrowth(100, 100_000, (size) => {
      const stand = new Stand();
      const flags = { durable: true, exclusive: false, autoDelete: false };
      const queue = stand.vhost.declare('q', flags, toTable(table), stand);
      for (let n = 0; n < size; n += 1) stand.publish('q', properties(n));
      return (n) => {
        stand.publish('q', properties(n));
        const [one, two] = [queue.take(), queue.take()] as [Held, Held];
        queue.requeue([two, one], 'nack');
        queue.settle(queue.take() as Held, 'done');
      };
    });
  });

  it('in a full queue that drops its head to another', () => {
    expectNoGrowth(100, 100_000, (size) => {
      const stand = new Stand();
      const dead = stand.queue('dead');
      stand.queue('q', {
        'x-max-length': size,
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': 'dead',
      });
      for (let n = 0; n < size; n += 1) stand.publish('q');
      return () => {
        stand.publish('q');
        dead.settle(dead.take() as Held, 'done');
      };
    });
  });

  it('that expire and are dead-lettered all at once', () => {
    expectSamePerPiece(500, 20_000, (size) => {
      const stand = new Stand();
      const dead = stand.queue('dead');
      stand.queue('q', {
        'x-message-ttl': 10,
        'x-dead-letter-exchange': '',
        'x-dead-letter-routing-key': 'dead',
      });
      for (let n = 0; n < size; n += 1) stand.publish('q');
      return () => {
        stand.time = 10;
        for (const alarm of stand.alarms) alarm();
        must(dead.length === size);
      };
    });
  });

  it('for their acks, ten at a time from the front', () => {
    expectNoGrowth(100, 100_000, (size) => {
      const unacked = new Unacked();
      const nothing = { queue: {} as Queue, held: {} as Held, subscription: undefined };
      for (let n = 0; n < size; n += 1) unacked.add({ tag: unacked.next(), ...nothing });
      let settled = 0;
      return () => {
        for (let n = 0; n < 10; n += 1) unacked.add({ tag: unacked.next(), ...nothing });
        settled += 10;
        must(unacked.settle(settled, true).length === 10);
      };
    });
  });
});

type Row = [string, (n: number) => [string, { readonly [name: string]: Plain }], (n: number) => Plain];
const none = {};
const rows: readonly Row[] = [
  ['topic', (n) => [`shop.${n}.order.#`, none], () => none],
  ['topic', (n) => [`*.${n}.#`, none], () => none],
  ['direct', (n) => [`shop.${n}.order.#`, none], () => none],
  ['headers', (n) => ['', { kind: 'order', id: n }], (n) => ({ kind: 'order', id: n })],
  ['headers', (n) => ['', { kind: 'order', [`x${n}`]: 1 }], (n) => ({ kind: 'order', [`x${n}`]: 1 })],
  ['headers', (n) => ['', { 'x-match': 'any', a: n, b: n }], (n) => ({ a: n, b: -1 })],
];

describe('With 10 and with 10 000 bindings it costs the same', () => {
  it.each(rows)('to route a message, %s', (type, at, headers) => {
    expectNoGrowth(10, 10_000, (size) => {
      const stand = new Stand();
      const [other, queue] = [stand.queue('other'), stand.queue('q')];
      for (let n = 0; n < size; n += 1) stand.bind(type, other, ...at(n));
      stand.bind(type, queue, ...at(size));
      const properties = withHeaders(headers(size) as { readonly [name: string]: Plain });
      return () => {
        stand.publish(`shop.${size}.order.#`, properties, `amq.${type}`);
        must(queue.length === 1 && other.length === 0);
        queue.purge();
      };
    });
  });

  it.each(rows)('to bind and unbind, %s', (type, at) => {
    expectNoGrowth(10, 10_000, (size) => {
      const stand = new Stand();
      const queue = stand.queue('q');
      for (let n = 0; n < size; n += 1) stand.bind(type, queue, ...at(n));
      return (n) => {
        stand.bind(type, queue, ...at(size + n));
        stand.unbind(type, queue, ...at(size + n));
      };
    });
  });

  it.each(rows)('to delete a queue, per binding, %s', (type, at) => {
    expectSamePerPiece(100, 10_000, (size) => {
      const stand = new Stand();
      const queue = stand.queue('q');
      for (let n = 0; n < size; n += 1) stand.bind(type, queue, ...at(n));
      return () => must(stand.vhost.delete('q', false, false, stand) === 0);
    });
  });
});

describe('Among 10 and among 10 000 it costs the same', () => {
  it('to find the one consumer that is free', () => {
    expectNoGrowth(10, 10_000, (size) => {
      const stand = new Stand();
      const queue = stand.queue('q');
      const free = new Set<string>();
      const consumers = Array.from({ length: size }, (_, n): Consumer => {
        const tag = String(n);
        const ready = (): boolean => free.has(tag);
        const deliver = (held: Held): void => {
          free.delete(tag);
          queue.settle(held, 'done');
        };
        const settings = {
          noAck: false,
          exclusive: false,
          priority: 0,
          prefetch: 1,
          connection: 1,
          holding: 0,
        };
        return { tag, ...settings, ready, deliver, cancelled: () => undefined };
      });
      for (const consumer of consumers) queue.addConsumer(consumer);
      return (n) => {
        stand.publish('q');
        const consumer = consumers[(n * 7919) % size];
        free.add(consumer.tag);
        queue.consumers.wake(consumer);
        queue.pump();
        must(queue.length === 0 && free.size === 0);
      };
    });
  });

  it('queues to declare one, and to drop it with its connection', () => {
    expectNoGrowth(10, 10_000, (size) => {
      const stand = new Stand();
      for (let n = 0; n < size; n += 1) stand.queue(`q ${n}`);
      return () => {
        stand.queue('own', {}, true);
        stand.vhost.dropOwned(stand);
      };
    });
  });

  it('channels to confirm on one', () => {
    expectNoGrowth(10, 2000, (size) => {
      const confirmed: number[] = [];
      const outbox = { method: (channel: number) => confirmed.push(channel), schedule: () => undefined };
      const channels = new Channels({ outbox } as unknown as Connection);
      channels.limit = size;
      for (let n = 1; n <= size; n += 1) {
        channels.method(n, { name: 'channel.open', args: { outOfBand: '' } });
        channels.method(n, { name: 'confirm.select', args: { nowait: true } });
      }
      const flushConfirms = (): void => confirms.take(1, outbox as unknown as Outbox)(true);
      const confirms = new Confirms(() => channels.owes({ number: 1, flushConfirms } as unknown as Channel));
      return (n) => {
        confirmed.length = 0;
        confirms.settle(n, true);
        channels.flushConfirms();
        must(confirmed.length === 1);
      };
    });
  });
});
