// What a virtual host tells its journal.
import { beforeEach, describe, expect, it } from '@jest/globals';
import { encodeTable } from '../wire/field-table.js';
import { toTable } from '../wire/plain.js';
import { changeProperties, tableProperty, textProperty } from '../wire/properties.js';
import type { Timer } from './clock.js';
import { MemoryMeter } from './memory-meter.js';
import { Message } from './message.js';
import { VERSIONS } from './version.js';
import { VirtualHost } from './virtual-host.js';

const NOW = 5_000;
const WALL = 1_700_000_000_900;
const place = { kind: 'queue', vhost: '/', name: 'q' } as const;
const persistent = Buffer.from([2]);

let time: number;
let kept: (number | null)[];
let dropped: number[];
let vhost: VirtualHost;

beforeEach(() => {
  [time, kept, dropped] = [NOW, [], []];
  const clock = {
    now: () => time,
    wall: () => WALL + time - NOW,
    wallSeconds: () => Math.floor((WALL + time - NOW) / 1000),
    after: () => undefined as unknown as Timer,
    cancel: () => undefined,
  };
  const journal = {
    keep: (_place: unknown, _message: unknown, at: number | null) => kept.push(at),
    drop: (entry: number) => void dropped.push(entry),
    note: () => undefined,
  };
  vhost = new VirtualHost('/', clock, new MemoryMeter(Infinity, () => undefined), VERSIONS['4'], journal);
});

const declare = (): ReturnType<VirtualHost['declare']> =>
  vhost.declare('q', { durable: true, exclusive: false, autoDelete: false }, toTable({}), {});

describe('a virtual host with a journal', () => {
  it('tells to the millisecond when a message expires, and takes that back', () => {
    const queue = declare();
    const properties = changeProperties(Buffer.alloc(2), [
      ['deliveryMode', persistent],
      ['expiration', textProperty('250')],
    ]);
    const message = new Message('', ['q'], properties, Buffer.from('x'));
    vhost.publish(message);
    expect(kept).toEqual([WALL + 250]);
    queue.purge();
    time += 100;
    vhost.restore(place, message, WALL + 250, 7);
    time += 149;
    vhost.restored();
    expect(queue.length).toBe(1);
    time += 1;
    vhost.restored();
    expect(queue.length).toBe(0);
  });

  it('that is deleted drops what its exchanges delay', () => {
    const args = toTable({ 'x-delayed-type': 'fanout' });
    const flags = { durable: true, autoDelete: false, internal: false };
    vhost.exchanges.declare('later', { ...flags, type: 'x-delayed-message', arguments: args });
    const headers = tableProperty(encodeTable(toTable({ 'x-delay': 1000 })));
    const properties = changeProperties(Buffer.alloc(2), [
      ['deliveryMode', persistent],
      ['headers', headers],
    ]);
    vhost.publish(new Message('later', [''], properties, Buffer.from('x')));
    expect(kept).toEqual([WALL + 1000]);
    vhost.close();
    expect(dropped).toEqual([1]);
  });
});
