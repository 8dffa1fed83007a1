// What the embedded broker does not have on purpose it refuses in clear words: each refusal of the table is provoked.
import { expect, it } from '@jest/globals';
import { onEmbedded } from '../support/brokers.js';
import { type BrokerFeature, features } from './features.js';
import { RawClient, shortString } from './raw-client.js';
import { channelRefusal, Session } from './session.js';

onEmbedded('A refusal on purpose', (broker) => {
  const asked = async (method: 'GET' | 'PUT', path: string, body?: unknown): Promise<string> => {
    const answer = await broker.http(method, path, body);
    const { reason = '' } = (answer.body ?? {}) as { reason?: string };
    return `${answer.status} ${reason}`;
  };
  const stream = async (name: unknown): Promise<string> => {
    const session = await Session.open(broker);
    const queue = await session.queue({ arguments: { 'x-queue-type': 'stream' } });
    await session.channel.prefetch(1);
    const args = { 'x-stream-offset': name };
    return channelRefusal(session.channel, () => session.consume(queue, { arguments: args }));
  };

  /** What asks for it. */
  const provoked: Readonly<Record<string, readonly (() => Promise<string>)[]>> = {
    streamCrashes: [() => stream('nonsense'), () => stream([{ '!': 'int64', value: 7 }])],
    management: [() => asked('GET', '/no-such-thing')],
    tracing: [
      () => asked('PUT', '/vhosts/traced', { tracing: true }),
      () => asked('PUT', '/traces/%2F/all', { format: 'json', pattern: '#' }),
    ],
    limits: [
      () => asked('PUT', '/vhost-limits/%2F/max-connections', { value: 1 }),
      () => asked('PUT', '/user-limits/guest/max-channels', { value: 1 }),
    ],
    plugins: [
      () => asked('PUT', '/parameters/shovel/%2F/mine', { value: {} }),
      () => asked('PUT', '/parameters/federation-upstream/%2F/mine', { value: {} }),
      () => asked('PUT', '/global-parameters/mine', { value: {} }),
    ],
    hashChoice: [
      async () => {
        const session = await Session.open(broker);
        const [exchange, queue] = [await session.exchange('x-consistent-hash'), await session.queue()];
        return channelRefusal(session.channel, () => session.channel.bindQueue(queue, exchange, '1001'));
      },
    ],
    unreadableProperties: [
      async () => {
        const client = await RawClient.ready(broker.url);
        client.method(1, 60, 40, Buffer.from([0, 0]), shortString(''), shortString('q'), Buffer.from([0]));
        client.frame(2, 1, Buffer.from([0, 60, ...Array<number>(10).fill(0), 0x80, 0]));
        return client.closeReply();
      },
    ],
    deepTables: [
      async () => {
        let table = Buffer.alloc(0);
        for (let depth = 0; depth < 70; depth += 1)
          table = Buffer.concat([shortString('t'), Buffer.from('F'), sized(table)]);
        const client = await RawClient.ready(broker.url);
        client.method(1, 50, 10, Buffer.from([0, 0]), shortString('q'), Buffer.from([0b10]), sized(table));
        return client.closeReply();
      },
    ],
  };

  const all: [string, BrokerFeature][] = Object.entries(features);
  const refused = all.flatMap(([name, { refusal }]) => (refusal === undefined ? [] : [[name, refusal]]));

  it('is there for each of the table, and for no other', () => {
    expect(Object.keys(provoked).sort()).toEqual(refused.map(([name]) => name).sort());
  });

  it.each(refused)('%s: %s', async (name, refusal) => {
    for (const provoke of provoked[name]) expect(await provoke()).toContain(refusal);
  });
});

function sized(table: Buffer): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(table.length);
  return Buffer.concat([size, table]);
}
