import { once } from 'node:events';
import { connect as connectSocket, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { connect, type ChannelModel } from 'amqplib';
import { EmbeddedBroker, type EmbeddedBrokerOptions } from './embedded-broker.js';
import { PROTOCOL_HEADER } from './wire/frames.js';

const brokers: EmbeddedBroker[] = [];

async function start(options?: EmbeddedBrokerOptions): Promise<EmbeddedBroker> {
  const broker = await EmbeddedBroker.start(options);
  brokers.push(broker);
  return broker;
}

async function client(broker: EmbeddedBroker): Promise<ChannelModel> {
  const connection = await connect(broker.url, { noDelay: true });
  connection.on('error', () => undefined);
  return connection;
}

/** Sends bytes and waits until the broker has closed the socket; resolves with what it said. */
async function say(broker: EmbeddedBroker, bytes: Buffer): Promise<string> {
  const socket: Socket = connectSocket(broker.port, '127.0.0.1');
  const heard: Buffer[] = [];
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => {
    heard.push(chunk);
    // The courtesy that lets the broker hang up at once: an answer to its connection.close.
    if (chunk.includes('ERROR') || chunk.includes('INVALID')) socket.end();
  });
  socket.write(bytes);
  await once(socket, 'close');
  return Buffer.concat(heard).toString('latin1');
}

afterEach(async () => {
  await Promise.all(brokers.splice(0).map((broker) => broker.close()));
});

describe('An embedded broker', () => {
  it('carries a message from a publisher to a consumer', async () => {
    const connection = await client(await start());
    const channel = await connection.createConfirmChannel();
    const { queue } = await channel.assertQueue('');
    channel.sendToQueue(queue, Buffer.from('hello'), { headers: { a: 1 } });
    await channel.waitForConfirms();
    const body = await new Promise<string>((resolve, reject) => {
      channel.consume(queue, (message) => resolve(String(message?.content)), { noAck: true }).catch(reject);
    });
    expect(body).toBe('hello');
    await connection.close();
  });

  it('shows its queues, consumers and connections as plain data', async () => {
    const broker = await start({ vhosts: ['other'] });
    const connection = await client(broker);
    const channel = await connection.createChannel();
    await channel.assertQueue('seen', { arguments: { 'x-max-length': 9 } });
    await channel.consume('seen', () => undefined, { consumerTag: 'tag' });
    const snapshot = await broker.inspect();
    expect(JSON.parse(JSON.stringify(snapshot))).toMatchObject({
      vhosts: ['/', 'other'],
      queues: [
        { name: 'seen', ready: 0, unacked: 0, arguments: { 'x-max-length': 9 }, consumers: [{ tag: 'tag' }] },
      ],
      connections: [{ user: 'guest', vhost: '/', channels: 1, blocked: false }],
    });
    await connection.close();
  });

  it('keeps nothing of a client whose socket was cut', async () => {
    const broker = await start();
    const [first, second] = [await client(broker), await client(broker)];
    const holder = await first.createChannel();
    await holder.assertQueue('own', { exclusive: true });
    const channel = await second.createConfirmChannel();
    await channel.assertQueue('work');
    channel.sendToQueue('work', Buffer.from('job'));
    await channel.waitForConfirms();
    await holder.get('work');
    (first.connection as unknown as { stream: Socket }).stream.destroy(new Error('cut'));
    const job = await new Promise((resolve, reject) => {
      channel.consume('work', resolve, { noAck: true }).catch(reject);
    });
    expect(job).toMatchObject({ fields: { redelivered: true } });
    const { queues, connections } = await broker.inspect();
    expect([queues.map(({ name }) => name), connections.length]).toEqual([['work'], 1]);
    await second.close();
  });

  it('blocks publishers beyond its memory limit until memory is free', async () => {
    const broker = await start({ memoryLimit: 100_000 });
    const connection = await client(broker);
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue('full');
    const blocked = once(connection, 'blocked');
    for (let n = 0; n < 150; n += 1) channel.sendToQueue('full', Buffer.alloc(1000));
    await blocked;
    expect((await broker.inspect()).bytesHeld).toBeLessThan(102_000);
    const unblocked = once(connection, 'unblocked');
    const other = await client(broker);
    const drain = await other.createChannel();
    await drain.consume('full', () => undefined, { noAck: true });
    await unblocked;
    await channel.waitForConfirms();
    await connection.close();
  });

  it('refuses options out of range', async () => {
    await expect(EmbeddedBroker.start({ frameMax: 100 })).rejects.toThrow(RangeError);
    await expect(EmbeddedBroker.start({ heartbeat: -1 })).rejects.toThrow(RangeError);
    const version = '3.12' as '4';
    await expect(EmbeddedBroker.start({ version })).rejects.toThrow("version must be '4' or '3.10'");
  });

  it('says that a port is taken', async () => {
    const { port } = await start();
    await expect(EmbeddedBroker.start({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

const garbage: readonly (readonly [string, Buffer, RegExp])[] = [
  ['another protocol', Buffer.from('GET / HTTP/1.1\r\n\r\n'), /^AMQP\x03\x01\0\0$/],
  [
    'an enormous frame',
    Buffer.concat([PROTOCOL_HEADER, Buffer.from([1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0])]),
    /FRAME_ERROR/,
  ],
  [
    'an unknown method',
    Buffer.concat([PROTOCOL_HEADER, Buffer.from([1, 0, 0, 0, 0, 0, 4, 0, 99, 0, 9, 0xce])]),
    /COMMAND_INVALID/,
  ],
  [
    'a method that is too short',
    Buffer.concat([PROTOCOL_HEADER, Buffer.from([1, 0, 0, 0, 0, 0, 1, 0, 0xce])]),
    /FRAME_ERROR/,
  ],
  [
    'a missing frame end',
    Buffer.concat([PROTOCOL_HEADER, Buffer.from([8, 0, 0, 0, 0, 0, 0, 0])]),
    /FRAME_ERROR/,
  ],
];

describe('A broker that is sent garbage', () => {
  it.each(garbage)('answers %s, hangs up, and goes on serving', async (_, bytes, answer) => {
    const broker = await start();
    expect(await say(broker, bytes)).toMatch(answer);
    const connection = await client(broker);
    await connection.close();
    expect((await broker.inspect()).connections).toEqual([]);
  });
});

describe('Closing a broker', () => {
  it('tells its clients with 320 and leaves nothing open', async () => {
    const broker = await start();
    const connection = await client(broker);
    const closed = once(connection, 'close') as Promise<[Error]>;
    await Promise.all([broker.close(), broker.close()]);
    expect((await closed)[0].message).toContain('320 (CONNECTION-FORCED)');
    await expect(connect(broker.url)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await expect(broker.inspect()).rejects.toThrow('closed');
  });

  it('does not wait for ever for a client that does not answer', async () => {
    const broker = await start();
    const socket = connectSocket(broker.port, '127.0.0.1');
    const connection = await client(broker);
    (connection.connection as unknown as { stream: Socket }).stream.pause();
    await broker.close();
    socket.destroy();
    (connection.connection as unknown as { stream: Socket }).stream.destroy();
    expect(await broker.close()).toBeUndefined();
  });
});
