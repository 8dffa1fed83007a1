import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type ChannelModel, connect } from 'amqplib';
import { EmbeddedBroker } from './embedded-broker.js';
import { hashPassword, passwordMatches } from './model/password.js';

describe('A password', () => {
  it('hashed by RabbitMQ matches, and no other does', () => {
    // guest, as RabbitMQ 4.3 exported it
    const hash = 'Fobl/G+uz9GZQXHPCNI3lrktZV/jJTZ1RUFSiGOjmDgzZxdY';
    const algorithm = 'rabbit_password_hashing_sha256' as const;
    expect(passwordMatches({ algorithm, hash }, 'guest')).toBe(true);
    for (const other of ['Guest', '', 'guest '])
      expect(passwordMatches({ algorithm, hash }, other)).toBe(false);
  });

  it('hashed here matches, and an empty one never does', () => {
    expect(passwordMatches(hashPassword('pä$$'), 'pä$$')).toBe(true);
    expect(passwordMatches(hashPassword(''), '')).toBe(false);
  });
});

describe('Users of a running broker', () => {
  let broker: EmbeddedBroker;
  beforeAll(async () => {
    broker = await EmbeddedBroker.start({ vhosts: ['shop'] });
  });
  afterAll(() => broker.close());

  const as = async (user: string, password: string, vhost = ''): Promise<ChannelModel> => {
    const url = new URL(broker.url);
    [url.username, url.password, url.pathname] = [user, password, vhost];
    const connection = await connect(url.href, { noDelay: true });
    connection.on('error', () => undefined);
    return connection;
  };
  const all = { configure: '.*', write: '.*', read: '.*' };

  it('may do everything everywhere when nothing else is said, also in a later virtual host', async () => {
    await broker.users.add('owner', 'o');
    await broker.addVhost('later');
    await (await as('owner', 'o', 'later')).close();
  });

  it('get into no virtual host without permissions, and are refused what they may not do', async () => {
    await broker.users.add('ann', 'a', { permissions: { shop: { ...all, configure: '^ann\\.' } } });
    await expect(as('ann', 'a')).rejects.toThrow('got <ConnectionClose');
    const connection = await as('ann', 'a', 'shop');
    const channel = await connection.createChannel();
    const closed = once(channel, 'error') as Promise<[Error]>;
    await channel.assertQueue('ann.q');
    await expect(channel.assertQueue('q')).rejects.toThrow('403');
    expect((await closed)[0].message).toContain(
      "configure access to queue 'q' in vhost 'shop' refused for user 'ann'",
    );
    await connection.close();
  });

  it('that are added again with permissions keep no others, now or in a later virtual host', async () => {
    await broker.users.add('eve', 'old');
    await expect(broker.users.add('eve', 'e', { permissions: { nowhere: all } })).rejects.toThrow(
      "there is no virtual host 'nowhere'",
    );
    await expect(
      broker.users.add('eve', 'e', { permissions: { shop: { ...all, read: '(' } } }),
    ).rejects.toThrow('invalid_regexp');
    await (await as('eve', 'old')).close();
    await broker.users.add('eve', 'e', { permissions: { shop: all } });
    await broker.addVhost('after-eve');
    await (await as('eve', 'e', 'shop')).close();
    for (const vhost of ['', 'after-eve'])
      await expect(as('eve', 'e', vhost)).rejects.toThrow('got <ConnectionClose');
  });

  it('are not in the URL when they are deleted', async () => {
    const other = await EmbeddedBroker.start();
    await other.users.add('me', 'secret');
    await other.users.delete('guest');
    expect(other.url).toBe(`amqp://me:secret@127.0.0.1:${other.port}`);
    await other.close();
  });

  it('feel a change of permissions on an open channel', async () => {
    await broker.users.add('ben', 'b', { permissions: { shop: all } });
    const connection = await as('ben', 'b', 'shop');
    const channel = await connection.createChannel();
    channel.on('error', () => undefined);
    await channel.assertQueue('ben.q');
    await broker.users.setPermissions('ben', 'shop', { ...all, read: '' });
    await expect(channel.get('ben.q')).rejects.toThrow("read access to queue 'ben.q'");
    await broker.users.clearPermissions('ben', 'shop');
    await expect(as('ben', 'b', 'shop')).rejects.toThrow('got <ConnectionClose');
    await connection.close();
  });

  it('are held to routing keys by topic permissions', async () => {
    await broker.users.add('cleo', 'c', { permissions: { shop: all } });
    await broker.users.setTopicPermissions('cleo', 'shop', 'amq.topic', {
      write: '^{username}\\.',
      read: '',
    });
    const connection = await as('cleo', 'c', 'shop');
    const channel = await connection.createConfirmChannel();
    const closed = once(channel, 'error') as Promise<[Error]>;
    channel.publish('amq.topic', 'cleo.a', Buffer.alloc(1));
    await channel.waitForConfirms();
    channel.publish('amq.topic', 'other.a', Buffer.alloc(1));
    expect((await closed)[0].message).toContain("write access to topic 'other.a' in exchange 'amq.topic'");
    await connection.close();
  });

  it('log in with a changed password, and are disconnected when they are deleted', async () => {
    await broker.users.add('dan', 'd', { permissions: { shop: all } });
    await broker.users.changePassword('dan', 'new');
    await expect(as('dan', 'd', 'shop')).rejects.toThrow('403');
    const connection = await as('dan', 'new', 'shop');
    const closed = once(connection, 'close') as Promise<[Error]>;
    await broker.users.delete('dan');
    expect((await closed)[0].message).toContain("user 'dan' is deleted");
    await expect(broker.users.delete('dan')).rejects.toThrow("there is no user 'dan'");
  });

  it('are disconnected when their virtual host is deleted', async () => {
    await broker.addVhost('short');
    const connection = await as('guest', 'guest', 'short');
    const closed = once(connection, 'close') as Promise<[Error]>;
    await broker.deleteVhost('short');
    expect((await closed)[0].message).toContain("vhost 'short' is deleted");
    expect((await broker.inspect()).vhosts).not.toContain('short');
  });
});

describe('Policies of a running broker', () => {
  it('apply at once to the queues that are there, and are refused in the words of RabbitMQ', async () => {
    const broker = await EmbeddedBroker.start();
    const connection = await connect(broker.url, { noDelay: true });
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue('orders');
    for (const body of '12345') channel.sendToQueue('orders', Buffer.from(body));
    await channel.waitForConfirms();
    await broker.policies.set({ name: 'short', pattern: '^ord', definition: { 'max-length': 2 } });
    expect((await channel.checkQueue('orders')).messageCount).toBe(2);
    const wrong = broker.policies.set({ name: 'wrong', pattern: '', definition: { 'max-lengths': 2 } });
    await expect(wrong).rejects.toThrow('[{<<"max-lengths">>,2}] are not recognised policy settings');
    await broker.policies.delete('short');
    for (const body of '678') channel.sendToQueue('orders', Buffer.from(body));
    await channel.waitForConfirms();
    expect((await channel.checkQueue('orders')).messageCount).toBe(5);
    await connection.close();
    await broker.close();
  });
});
