// What a test has in its hand of an embedded broker, it has of one in a worker thread too. That runs what is built.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { EmbeddedBroker, MovableClock } from '@warren/embedded';
import { connect, type ChannelModel } from 'amqplib';
import { Child } from '../../tools/demo/child.mjs';
import { BUILD, path } from './demo-processes.js';

describe('an embedded broker in a worker', () => {
  let broker: EmbeddedBroker;
  let connection: ChannelModel;

  beforeAll(async () => {
    const build = new Child('the build', [path('tools/build.mjs'), '--if-needed']);
    expect((await build.ended).code).toBe(0);
  }, BUILD);
  afterEach(async () => {
    await connection.close().catch(() => undefined);
    await broker.close();
  });

  async function open(): Promise<void> {
    broker = await EmbeddedBroker.start({ worker: true });
    connection = await connect(broker.url, { noDelay: true });
    connection.on('error', () => undefined);
  }

  it('has its time moved, and lets clients of this thread react', async () => {
    await open();
    const channel = await connection.createChannel();
    let rounds = 0;
    await channel.assertQueue('work');
    await channel.assertQueue('wait', {
      messageTtl: 3_600_000,
      arguments: { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': 'work' },
    });
    await channel.consume('work', (message) => {
      rounds += 1;
      if (message) channel.ack(message);
      channel.sendToQueue('wait', Buffer.from('again'));
    });
    await broker.clock.pause();
    channel.sendToQueue('work', Buffer.from('first'));
    await broker.clock.advance('10h', { quiet: 5 });
    expect(rounds).toBe(11);
    expect(await broker.clock.next()).toBe(3_600_000);
    await broker.clock.resume();
  });

  it('fails when the test wants it', async () => {
    await open();
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue('work');
    const published = (): Promise<string> =>
      new Promise((resolve) => {
        channel.sendToQueue('work', Buffer.from('x'), {}, (error: unknown) =>
          resolve(error ? 'nack' : 'ack'),
        );
      });
    await broker.faults.nack();
    expect([await published(), await published()]).toEqual(['nack', 'ack']);
    const chaos = await broker.faults.chaos({ seed: 1, every: 10, faults: ['delay'], match: { name: /./ } });
    await broker.clock.advance('1s');
    expect((await chaos.stop()).length).toBeGreaterThan(50);
    const closed = new Promise((resolve) => connection.once('close', resolve));
    expect(await broker.faults.cut()).toBe(1);
    await closed;
  });

  it('speaks TLS', async () => {
    const [ca, key] = ['cert.pem', 'key.pem'].map((name) => readFileSync(path('test/support/tls', name)));
    broker = await EmbeddedBroker.start({ worker: true, tls: { key, cert: ca } });
    connection = await connect(broker.url, { ca });
    expect((await broker.inspect()).connections).toHaveLength(1);
  });

  it('has users, policies, definitions and the management API', async () => {
    broker = await EmbeddedBroker.start({ worker: true, management: true });
    await broker.users.add('reports', 'secret', {
      tags: ['management'],
      permissions: { '/': { configure: '', write: '', read: '^public' } },
    });
    await broker.policies.set({ name: 'short', pattern: '^jobs', definition: { 'max-length': 1 } });
    await expect(broker.users.delete('nobody')).rejects.toThrow("there is no user 'nobody'");
    const wrong = { name: 'wrong', pattern: '(', definition: { 'max-length': 1 } };
    await expect(broker.policies.set(wrong)).rejects.toThrow(/regular expression/i);
    await expect(broker.importDefinitions({ queues: [{ name: 'x' }] })).rejects.toThrow(/queues\[0\]\.vhost/);

    connection = await connect(broker.url.replace('guest:guest', 'reports:secret'));
    connection.on('error', () => undefined);
    const channel = await connection.createChannel();
    channel.on('error', () => undefined);
    await expect(channel.assertQueue('jobs')).rejects.toThrow(/403/);
    await broker.users.setPermissions('reports', '/', { configure: '.*', write: '.*', read: '.*' });
    const allowed = await connection.createConfirmChannel();
    await allowed.assertQueue('jobs');
    for (const body of ['a', 'b']) allowed.sendToQueue('jobs', Buffer.from(body));
    await allowed.waitForConfirms();
    expect(await allowed.checkQueue('jobs')).toMatchObject({ messageCount: 1 });

    const { origin } = new URL(broker.managementUrl ?? '');
    const get = async (path: string, login: string): Promise<unknown> => {
      const authorization = `Basic ${Buffer.from(login).toString('base64')}`;
      return (await fetch(`${origin}/api${path}`, { headers: { authorization } })).json();
    };
    expect(await get('/queues/%2F/jobs', 'reports:secret')).toMatchObject({ messages: 1, policy: 'short' });
    expect(await get('/users', 'reports:secret')).toMatchObject({ error: 'not_authorised' });
    const exported = await broker.exportDefinitions();
    expect(await get('/definitions', 'guest:guest')).toEqual(exported);

    const closed = new Promise((resolve) => connection.once('close', resolve));
    await broker.users.delete('reports');
    await closed;
  });

  it('gives its folder back when its thread dies', async () => {
    await open();
    const data = mkdtempSync(join(tmpdir(), 'warren-worker-'));
    const dying = await EmbeddedBroker.start({ worker: true, data });
    const asked = jest.spyOn(Worker.prototype, 'postMessage');
    await dying.inspect();
    const [thread] = asked.mock.contexts as Worker[];
    asked.mockRestore();
    await thread.terminate();
    await expect(dying.inspect()).rejects.toThrow('the embedded broker is closed');
    await (await EmbeddedBroker.start({ data })).close();
    await dying.close();
    rmSync(data, { recursive: true });
  });

  it('refuses a clock that it cannot share', async () => {
    await open();
    const starting = EmbeddedBroker.start({ worker: true, clock: new MovableClock() });
    await expect(starting).rejects.toThrow(RangeError);
  });
});
