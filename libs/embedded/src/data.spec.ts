// What outlasts the broker when it has a folder: started again on it, it has what was durable, and nothing else.
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { connect, type ConfirmChannel } from 'amqplib';
import { EmbeddedBroker, type EmbeddedBrokerOptions } from './embedded-broker.js';

let folder: string;
let broker: EmbeddedBroker | undefined;
const said: string[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'warren-data-'));
  said.length = 0;
});

afterEach(async () => {
  await broker?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function start(options: EmbeddedBrokerOptions = {}): Promise<ConfirmChannel> {
  const logger = { log: (text: string) => said.push(text), warn: (text: string) => said.push(text) };
  broker = await EmbeddedBroker.start({ data: folder, logger, ...options });
  const connection = await connect(broker.url, { noDelay: true });
  connection.on('error', () => undefined);
  const channel = await connection.createConfirmChannel();
  channel.on('error', () => undefined);
  return channel;
}

/** Ends the broker as a crash would: what is in the folder at this moment is all there is. */
async function crash(): Promise<void> {
  const left = readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))] as const);
  await broker?.close();
  rmSync(folder, { recursive: true });
  folder = mkdtempSync(join(tmpdir(), 'warren-data-'));
  for (const [name, bytes] of left) if (name.endsWith('.log')) writeFileSync(join(folder, name), bytes);
}

async function send(channel: ConfirmChannel, queue: string, ...bodies: string[]): Promise<void> {
  for (const body of bodies) channel.sendToQueue(queue, Buffer.from(body), { persistent: true });
  await channel.waitForConfirms();
}

async function drain(channel: ConfirmChannel, queue: string): Promise<string[]> {
  const bodies: string[] = [];
  for (let got = await channel.get(queue); got; got = await channel.get(queue))
    bodies.push(String(got.content));
  return bodies;
}

/** 'm' expires in the queue 'wait' while no broker has the folder; the queue 'dead' is for dead letters. */
async function expireMeanwhile(...others: string[]): Promise<void> {
  const channel = await start();
  await channel.assertQueue('dead', { durable: true });
  const deadLetters = { deadLetterExchange: '', deadLetterRoutingKey: 'dead' };
  await channel.assertQueue('wait', { durable: true, ...deadLetters });
  channel.sendToQueue('wait', Buffer.from('m'), { persistent: true, expiration: '20' });
  await send(channel, 'wait', ...others);
  await crash();
  // The clock of the machine moves on by more than the time to live.
  for (const since = Date.now(); Date.now() <= since + 20;)
    await new Promise((resolve) => setImmediate(resolve));
}

describe('a broker with a folder', () => {
  it('has its durable exchanges, queues, bindings and persistent messages again, and not the others', async () => {
    const channel = await start({ vhosts: ['shop'] });
    await channel.assertExchange('events', 'topic', { durable: true });
    await channel.assertExchange('short', 'fanout', { durable: false });
    await channel.assertExchange('inner', 'fanout', { durable: true });
    await channel.assertQueue('orders', { durable: true, arguments: { 'x-max-length': 100 } });
    await channel.assertQueue('temporary', { durable: false, exclusive: true });
    await channel.bindQueue('orders', 'events', 'order.#', { note: 'kept' });
    await channel.bindExchange('inner', 'events', '#');
    await channel.bindQueue('orders', 'inner', 'gone');
    await channel.unbindQueue('orders', 'inner', 'gone');
    await send(channel, 'orders', 'a', 'b', 'c');
    channel.sendToQueue('orders', Buffer.from('not persistent'));
    await channel.waitForConfirms();
    const first = await channel.get('orders');
    if (first) channel.ack(first);
    await channel.checkQueue('orders');
    await crash();
    const again = await start();
    expect(await drain(again, 'orders')).toEqual(['b', 'c']);
    const { queues, exchanges, vhosts } = await (broker as EmbeddedBroker).inspect();
    expect(vhosts).toEqual(['/', 'shop']);
    expect(queues.map(({ name, arguments: args }) => [name, args])).toEqual([
      ['orders', { 'x-max-length': 100 }],
    ]);
    const own = exchanges.filter(({ name, vhost }) => !name.startsWith('amq.') && vhost === '/');
    expect(own.map(({ name, bindings }) => [name, bindings.map(({ destination }) => destination)])).toEqual([
      ['events', ['orders', 'inner']],
      ['inner', []],
    ]);
  });

  it('has its users, what they may do, its policies and its virtual hosts again', async () => {
    await start({ vhosts: ['shop', 'closed'] });
    const first = broker as EmbeddedBroker;
    const permissions = { shop: { configure: '^own', write: '', read: '.*' } };
    await first.users.add('reports', 'old', { tags: ['monitoring'], permissions });
    await first.users.changePassword('reports', 'new');
    await first.users.setTopicPermissions('reports', 'shop', 'amq.topic', { write: '', read: '^public' });
    await first.users.add('gone', 'x', { permissions });
    await first.users.delete('gone');
    await first.users.add('owner', 'y');
    await first.users.clearPermissions('owner', 'closed');
    const short = { pattern: '^j', definition: { 'max-length': 2 } };
    await first.policies.set({ ...short, name: 'short', vhost: 'shop' });
    await first.policies.set({ ...short, name: 'limit', priority: 7, operator: true });
    await first.policies.set({ ...short, name: 'gone' });
    await first.policies.delete('gone');
    await first.deleteVhost('closed');
    const before = await first.exportDefinitions();
    await crash();
    await start();
    const second = broker as EmbeddedBroker;
    expect(await second.exportDefinitions()).toEqual(before);
    await second.addVhost('later');
    const later = (await second.exportDefinitions()).permissions as { vhost: string; user: string }[];
    const users = later.filter(({ vhost }) => vhost === 'later').map(({ user }) => user);
    expect(users.sort()).toEqual(['guest', 'owner']);
    await (await connect(second.url.replace('guest:guest', 'reports:new') + '/shop')).close();
  });

  it('applies its policies to the queues that come back', async () => {
    const channel = await start();
    const definition = { 'max-length': 2, overflow: 'reject-publish' };
    await (broker as EmbeddedBroker).policies.set({ name: 'short', pattern: '^q', definition });
    await channel.assertQueue('q', { durable: true });
    await send(channel, 'q', 'a', 'b');
    await crash();
    const again = await start();
    const refused = new Promise((resolve) => again.sendToQueue('q', Buffer.from('c'), {}, resolve));
    expect(await refused).toBeInstanceOf(Error);
  });

  it('makes its default user once: one that was deleted or has another password stays so', async () => {
    await start();
    const first = broker as EmbeddedBroker;
    await first.users.add('me', 'secret');
    await first.users.delete('guest');
    await crash();
    broker = await EmbeddedBroker.start({ data: folder });
    expect(broker.url).toBe(`amqp://127.0.0.1:${broker.port}`);
    await expect(connect(`amqp://guest:guest@127.0.0.1:${broker.port}`)).rejects.toThrow(/403/);
    await (await connect(`amqp://me:secret@127.0.0.1:${broker.port}`)).close();
    await broker.close();
    broker = await EmbeddedBroker.start({ data: folder, users: { guest: 'other' } });
    await (await connect(broker.url)).close();
  });

  it('says of what comes back that it may have been delivered, and keeps what was unacked', async () => {
    const channel = await start();
    await channel.assertQueue('q', { durable: true, arguments: { 'x-queue-type': 'quorum' } });
    channel.sendToQueue('q', Buffer.from('a'), { headers: { own: 1 }, correlationId: 'c', priority: 3 });
    await channel.waitForConfirms();
    await channel.get('q');
    await crash();
    const message = await (await start()).get('q');
    expect(message).toMatchObject({
      fields: { redelivered: true },
      properties: { correlationId: 'c', priority: 3 },
    });
  });

  it('deletes for good: a queue of the same name begins empty', async () => {
    const channel = await start();
    await channel.assertQueue('q', { durable: true });
    await send(channel, 'q', 'old');
    await channel.get('q');
    await channel.deleteQueue('q');
    await channel.assertQueue('q', { durable: true });
    await send(channel, 'q', 'new');
    await channel.purgeQueue('q');
    await send(channel, 'q', 'newer');
    await crash();
    expect(await drain(await start(), 'q')).toEqual(['newer']);
  });

  it('keeps streams with their offsets, delayed messages with their delay, and the deaths of dead letters', async () => {
    const channel = await start();
    await channel.assertQueue('s', { durable: true, arguments: { 'x-queue-type': 'stream' } });
    await channel.assertExchange('later', 'x-delayed-message', { arguments: { 'x-delayed-type': 'fanout' } });
    await channel.assertQueue('dead', { durable: true });
    await channel.assertQueue('q', { durable: true, deadLetterExchange: '', deadLetterRoutingKey: 'dead' });
    await channel.bindQueue('dead', 'later', '');
    await send(channel, 's', '0', '1');
    await send(channel, 'q', 'rejected');
    const got = await channel.get('q');
    if (got) channel.nack(got, false, false);
    channel.publish('later', '', Buffer.from('delayed'), { persistent: true, headers: { 'x-delay': 300 } });
    await channel.waitForConfirms();
    await crash();
    const again = await start();
    await again.prefetch(5);
    const offsets: unknown[] = [];
    await new Promise<void>((resolve) => {
      const taken = (message: { properties: { headers?: Record<string, unknown> } } | null): void => {
        if (offsets.push(message?.properties.headers?.['x-stream-offset']) === 3) resolve();
      };
      void again
        .consume('s', taken, { arguments: { 'x-stream-offset': 'first' } })
        .then(() => send(again, 's', '2'));
    });
    expect(offsets).toEqual([0, 1, 2]);
    const dead: string[] = [];
    await new Promise<void>((resolve) => {
      void again.consume('dead', (message) => {
        if (message && dead.push(String(message.content)) === 2) resolve();
      });
    });
    expect(dead).toEqual(['rejected', 'delayed']);
  });

  it('keeps the times of the messages of a stream', async () => {
    const channel = await start();
    await channel.assertQueue('s', { durable: true, arguments: { 'x-queue-type': 'stream' } });
    await send(channel, 's', 'old');
    await broker?.clock.advance('1h');
    await send(channel, 's', 'new');
    const since = Math.floor(Date.now() / 1000) + 1800;
    await crash();
    const again = await start();
    await again.prefetch(5);
    const first = await new Promise((resolve) => {
      const from = { 'x-stream-offset': { '!': 'timestamp', value: since } };
      void again.consume('s', (message) => resolve(String(message?.content)), { arguments: from });
    });
    expect(first).toBe('new');
  });

  it('drops what expired while it was not there', async () => {
    const channel = await start();
    await channel.assertQueue('q', { durable: true });
    channel.sendToQueue('q', Buffer.from('short'), { persistent: true, expiration: '1' });
    await send(channel, 'q', 'long');
    await crash();
    // The clock of the machine moves on by more than the time to live.
    for (const since = Date.now(); Date.now() <= since + 1;)
      await new Promise((resolve) => setImmediate(resolve));
    expect(await drain(await start(), 'q')).toEqual(['long']);
  });

  it('keeps what is published after starts in which nothing was published', async () => {
    const channel = await start();
    await channel.assertQueue('a', { durable: true });
    await send(channel, 'a', '1', '2', '3');
    while (await channel.get('a', { noAck: true }));
    await channel.assertQueue('b', { durable: true });
    await broker?.close();
    await start();
    await broker?.close();
    await send(await start(), 'b', 'x');
    await crash();
    expect(await drain(await start(), 'b')).toEqual(['x']);
  });

  it('keeps the dead letter of what expired while it was not there', async () => {
    await expireMeanwhile();
    await start();
    await crash();
    expect(await drain(await start(), 'dead')).toEqual(['m']);
  });

  it('makes no second dead letter of what expired while it was not there', async () => {
    await expireMeanwhile('stays');
    const channel = await start();
    expect(await channel.get('dead', { noAck: true })).toBeTruthy();
    await broker?.close();
    const again = await start();
    expect(await drain(again, 'dead')).toEqual([]);
    expect(await drain(again, 'wait')).toEqual(['stays']);
  });

  it('does not start with options that what is in the folder does not fit, and changes nothing there', async () => {
    const channel = await start();
    await channel.assertQueue('q', { durable: true });
    await channel.assertExchange('local', 'x-local-random', { durable: true });
    await send(channel, 'q', 'a');
    await broker?.close();
    await expect(start({ memoryLimit: 2000 })).rejects.toThrow(
      /^the queue 'q' of the virtual host '\/' in the folder .* does not fit the options of the broker: .*memory limit/,
    );
    await expect(start({ version: '3.10' })).rejects.toThrow(
      /^the exchange 'local' of the virtual host '\/'/,
    );
    const again = await start();
    await again.checkExchange('local');
    expect(await drain(again, 'q')).toEqual(['a']);
  });

  it('cuts a broken tail off and says so', async () => {
    const channel = await start();
    await channel.assertQueue('q', { durable: true });
    await send(channel, 'q', 'a', 'b');
    await crash();
    const file = join(folder, readdirSync(folder)[0]);
    truncateSync(file, readFileSync(file).length - 3);
    expect(await drain(await start(), 'q')).toEqual(['a']);
    expect(said.join()).toMatch(
      /00000001\.log is incomplete: its last [0-9]+ bytes are unreadable and were removed/,
    );
  });

  it('refuses a folder that another broker has, and takes one whose broker is gone', async () => {
    await start();
    await expect(EmbeddedBroker.start({ data: folder })).rejects.toThrow(
      /is in use by another broker \(process [0-9]+\): stop that one, or choose another folder/,
    );
    await broker?.close();
    writeFileSync(join(folder, 'broker.lock'), `999999999 1 0 ${hostname()}`);
    await start();
  });

  it('gives the folder back when it cannot start', async () => {
    const other = await EmbeddedBroker.start();
    const fails = async (options: EmbeddedBrokerOptions, reason: RegExp): Promise<void> => {
      await expect(EmbeddedBroker.start({ data: folder, ...options })).rejects.toThrow(reason);
      await (await EmbeddedBroker.start({ data: folder })).close();
    };
    await fails({ port: other.port }, /EADDRINUSE/);
    await fails({ management: other.port }, /EADDRINUSE/);
    await fails({ tls: { key: 'x', cert: 'y' } }, /PEM/);
    await fails({ definitions: { queues: [{}] } }, /queues\[0\]/);
    await fails({ port: 70_000 }, /^port must be an integer between 0 and 65535/);
    await other.close();
  });
});
