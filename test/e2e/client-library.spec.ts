// Another version of the client library, which moved what its documentation does not promise: it costs speed, nothing
// else. The real one is changed on its way to us.

import { afterEach, expect, it, jest } from '@jest/globals';
import * as real from 'amqplib';
import type { Broker, Delivery } from '@warren/amqp';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until, within } from '../support/events.js';
import { Tap } from '../support/tap.js';

type Inside = Record<string, unknown>;

/** How each version differs. */
const versions: Record<string, (model: real.ChannelModel) => real.ChannelModel> = {
  'has no connection.heartbeat': (model) => {
    delete inside(model).heartbeat;
    return model;
  },
  'has no model.connection, channel.connection and channel.ch': (model) =>
    hidden(model, {
      createChannel: async () => hidden(await model.createChannel()),
      createConfirmChannel: async () => hidden(await model.createConfirmChannel()),
    }),
  'reads frames through another method': (model) => {
    const connection = inside(model);
    const own = connection.recvFrame;
    // Whoever replaces it replaces what nobody calls.
    connection._nextFrame = own;
    Object.defineProperty(connection, 'recvFrame', { get: () => own, set: () => undefined });
    return model;
  },
  'counts what came and went elsewhere': (model) => {
    delete inside(model).recvSinceLastCheck;
    return model;
  },
};

function inside(model: real.ChannelModel): Inside {
  return model.connection as unknown as Inside;
}

/** The same object without its undocumented fields. */
function hidden<T extends object>(target: T, instead: object = {}): T {
  return new Proxy(target, {
    get(from, name) {
      if (name === 'connection' || name === 'ch') return undefined;
      const value: unknown = name in instead ? instead[name as never] : Reflect.get(from, name, from);
      return typeof value === 'function' ? (value.bind(from) as unknown) : value;
    },
  });
}

let change: (model: real.ChannelModel) => real.ChannelModel = (model) => model;
jest.unstable_mockModule('amqplib', () => ({
  ...real,
  connect: async (...args: Parameters<typeof real.connect>) => change(await real.connect(...args)),
}));

const HEARTBEAT = Buffer.from([8, 0, 0, 0, 0, 0, 0, 0xce]);

const open: Broker[] = [];
const taps: Tap[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((broker) => broker.close()));
  for (const tap of taps.splice(0)) tap.cut();
});

onEachBroker('a client library that', (broker) => {
  it.each(Object.keys(versions))('%s: everything works, and stays', async (version) => {
    change = versions[version];
    const { Broker } = await import('@warren/amqp');
    const lines: string[] = [];
    const log = (line: string): void => void lines.push(line);
    const tap = await Tap.open(broker.url);
    taps.push(tap);
    let heartbeats = 0;
    tap.listen((bytes) => void (bytes.equals(HEARTBEAT) && heartbeats++));
    const rabbit = new Broker({
      url: tap.url,
      service: 'other',
      queueType: 'classic',
      heartbeat: '1s',
      logger: { log, warn: log, error: log },
    });
    open.push(rabbit);
    const got = new Collector<unknown>('messages');
    const handle = (input: Delivery | readonly Delivery[]): void => got.push((input as Delivery).payload);
    rabbit.register({ kind: 'consume', id: 'H.take', patterns: ['other.queue'], options: {}, handle });
    rabbit.register({
      kind: 'rpc',
      id: 'H.echo',
      patterns: ['other.echo'],
      options: {},
      handle: () => 'echo',
    });
    await rabbit.open();
    const sent = Array.from({ length: 50 }, (_, n) => rabbit.send('other.queue', n));
    await within(Promise.all(sent), 'the confirms');
    expect((await got.take(50)).length).toBe(50);
    expect(await rabbit.request('other.echo', 1)).toBe('echo');
    const before = heartbeats;
    await until(() => heartbeats > before + 6, 'heartbeats of its connections');
    expect(await rabbit.request('other.echo', 1)).toBe('echo');
    expect(rabbit.status().counters).toMatchObject({ connectionsLost: 0, consumersLost: 0 });
    const fast = lines.filter((line) => line.includes('connected to') && !line.includes('every frame'));
    expect(fast.length > 0).toBe(version === 'has no connection.heartbeat');
    await until(() => rabbit.status().consumers.every(({ inFlight }) => inFlight === 0), 'every ack');
  });
});
