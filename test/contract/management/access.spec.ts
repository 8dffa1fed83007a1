// Users, tags, permissions and virtual hosts through the management API, and what clients over AMQP feel of them.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { onEachVersion, type TestBroker } from '../../support/brokers.js';
import { nextEvent, until } from '../../support/events.js';
import { channelRefusal, fresh, handshakeRefusal, Session } from '../session.js';
import { Api } from './api.js';

const ALL = { configure: '.*', write: '.*', read: '.*' };

/** Users of one file, which are gone after it. */
function people(broker: TestBroker): {
  api: Api;
  add: (tags?: string) => Promise<string>;
  url: (user: string) => string;
} {
  const api = new Api(broker);
  const names: string[] = [];
  afterAll(async () => {
    // The embedded broker is gone by now, and they with it.
    if (broker.kind === 'rabbitmq') for (const name of names) await broker.http('DELETE', `/users/${name}`);
  });
  return {
    api,
    /** Its name is its password. */
    async add(tags = '') {
      const name = `warren-user-${randomBytes(6).toString('hex')}`;
      names.push(name);
      await api.expect(201, 'PUT', `/users/${name}`, { password: name, tags });
      return name;
    },
    url(user) {
      const url = new URL(broker.url);
      [url.username, url.password] = [user, user];
      return url.href;
    },
  };
}

onEachVersion('Users over HTTP', (broker) => {
  const { api, add, url } = people(broker);

  it('are added, shown, changed and deleted', async () => {
    const name = await add('monitoring,management');
    const user = { name, tags: ['monitoring', 'management'], limits: {} };
    expect(await api.get(`/users/${name}`)).toMatchObject({
      ...user,
      hashing_algorithm: 'rabbit_password_hashing_sha256',
    });
    expect(await api.get('/users')).toEqual(expect.arrayContaining([expect.objectContaining(user)]));
    expect(await api.get('/users/without-permissions')).toEqual(
      expect.arrayContaining([expect.objectContaining({ name })]),
    );
    await api.expect(204, 'PUT', `/users/${name}`, { password: 'p', tags: ['administrator'] });
    expect(await api.get('/whoami', { login: [name, 'p'] })).toMatchObject({ name, tags: ['administrator'] });
    await api.expect(204, 'DELETE', `/users/${name}`);
    for (const method of ['GET', 'DELETE'] as const) await api.expect(404, method, `/users/${name}`);
  });

  it('come with a password hash of RabbitMQ', async () => {
    const name = await add();
    await api.expect(204, 'PUT', `/users/${name}`, {
      password_hash: 'Fobl/G+uz9GZQXHPCNI3lrktZV/jJTZ1RUFSiGOjmDgzZxdY',
      tags: 'management',
    });
    await api.get('/whoami', { login: [name, 'guest'] });
    await api.expect(401, 'GET', '/whoami', undefined, { login: [name, name] });
  });

  it.each<[string, unknown]>([
    ['tags_not_present', { password: 'x' }],
    ['tags_not_present', ''],
    ['not_json', '{wrong'],
    ['not_json', '[]'],
  ])('are refused with %s for %j', async (reason, body) => {
    expect(await api.expect(400, 'PUT', '/users/warren-nobody', body)).toEqual({
      error: 'bad_request',
      reason,
    });
  });

  it('are deleted several at once', async () => {
    const users = [await add(), await add()];
    await api.expect(204, 'POST', '/users/bulk-delete', { users });
    for (const name of users) await api.expect(404, 'GET', `/users/${name}`);
  });

  it('need a tag for each request that is more than theirs', async () => {
    const [nobody, manager] = [await add(), await add('management')];
    await api.expect(204, 'PUT', `/users/${manager}`, { password: manager, tags: 'management' });
    await api.expect(201, 'PUT', `/permissions/{v}/${manager}`, ALL);
    expect(await api.expect(401, 'GET', '/whoami', undefined, { login: [nobody, nobody] })).toEqual({
      error: 'not_authorised',
      reason: 'Not management user',
    });
    const login: [string, string] = [manager, manager];
    for (const path of ['/overview', '/queues/{v}', '/exchanges', '/connections', '/vhosts'])
      await api.get(path, { login });
    for (const path of ['/users', '/permissions', '/definitions']) {
      await api.expect(401, 'GET', path, undefined, { login });
    }
    await api.expect(401, 'GET', '/nodes', undefined, { login });
    await api.get('/policies/{v}', { login });
    const policy = { pattern: '', definition: { expires: 1 } };
    await api.expect(401, 'PUT', '/policies/{v}/x', policy, { login });
    await api.expect(401, 'PUT', '/vhosts/warren-not-made', undefined, { login });
  });

  it('see the virtual hosts in which they may do something', async () => {
    const name = await add('management');
    const login: [string, string] = [name, name];
    expect(await api.get('/vhosts', { login })).toEqual([]);
    expect(await api.get('/queues', { login })).toEqual([]);
    await api.expect(broker.since('4.1') ? 404 : 401, 'GET', '/queues/{v}', undefined, { login });
    await api.expect(201, 'PUT', `/permissions/{v}/${name}`, ALL);
    expect(await api.get('/vhosts', { login })).toMatchObject([{ name: api.vhost }]);
    await api.get('/queues/{v}', { login });
  });

  it('without credentials, or with wrong ones, get nothing', async () => {
    const none = await broker.http('GET', '/overview', undefined, { login: null });
    expect([none.status, none.headers.get('www-authenticate')]).toEqual([
      401,
      'Basic realm="RabbitMQ Management"',
    ]);
    const body = await api.expect(401, 'GET', '/overview', undefined, { login: ['guest', 'wrong'] });
    expect(body).toMatchObject({ error: 'not_authorized' });
    await api.expect(401, 'GET', '/overview', undefined, { headers: { authorization: 'Bearer x' } });
  });

  it('are disconnected when they are deleted', async () => {
    const name = await add();
    await api.expect(201, 'PUT', `/permissions/{v}/${name}`, ALL);
    const session = await Session.open(broker, { url: url(name) });
    const closed = nextEvent<Error>(session.connection, 'close', 'the connection to close');
    await api.expect(204, 'DELETE', `/users/${name}`);
    expect((await closed).message).toMatch(`user '${name}' is deleted`);
    expect(await handshakeRefusal(url(name))).toContain('403');
  });
});

onEachVersion('Permissions over HTTP', (broker) => {
  const { api, add } = people(broker);

  it('are set, shown, listed and deleted', async () => {
    const user = await add();
    const path = `/permissions/{v}/${user}`;
    const permissions = { configure: '^a', write: '', read: '.*' };
    await api.expect(404, 'GET', path);
    await api.expect(201, 'PUT', path, ALL);
    await api.expect(204, 'PUT', path, permissions);
    const shown = { user, vhost: api.vhost, ...permissions };
    expect(await api.get(path)).toEqual(shown);
    for (const list of ['/permissions', '/vhosts/{v}/permissions', `/users/${user}/permissions`]) {
      expect(await api.get(list)).toEqual(expect.arrayContaining([shown]));
    }
    await api.expect(204, 'DELETE', path);
    await api.expect(404, 'DELETE', path);
    expect(await api.get(`/users/${user}/permissions`)).toEqual([]);
  });

  it('on topics are set, listed and deleted', async () => {
    const user = await add();
    const path = `/topic-permissions/{v}/${user}`;
    await api.expect(201, 'PUT', `/permissions/{v}/${user}`, ALL);
    await api.expect(201, 'PUT', path, { exchange: 'amq.topic', write: '^a', read: '^b' });
    await api.expect(204, 'PUT', path, { exchange: 'amq.topic', write: '^c', read: '^d' });
    const shown = { user, vhost: api.vhost, exchange: 'amq.topic', write: '^c', read: '^d' };
    for (const list of [
      path,
      '/topic-permissions',
      '/vhosts/{v}/topic-permissions',
      `/users/${user}/topic-permissions`,
    ]) {
      expect(await api.get(list)).toEqual(expect.arrayContaining([shown]));
    }
    await api.expect(204, 'DELETE', path);
    await api.expect(404, 'GET', path);
  });

  it.each<[string, object, string]>([
    ['a part is missing', { configure: '', write: '' }, '{v}/guest'],
    ['a pattern is broken', { ...ALL, configure: '(' }, '{v}/guest'],
    ['there is no such user', ALL, '{v}/warren-nobody'],
    ['there is no such vhost', ALL, 'warren-nowhere/guest'],
  ])('are refused with 400 when %s', async (_, body, where) => {
    expect(await api.expect(400, 'PUT', `/permissions/${where}`, body)).toMatchObject({
      error: 'bad_request',
    });
  });
});

onEachVersion('A user over AMQP', (broker) => {
  const { api, add, url } = people(broker);
  let user: string;
  beforeAll(async () => {
    user = await add();
    await api.expect(201, 'PUT', '/queues/{v}/given', { durable: true });
    await api.expect(201, 'PUT', '/exchanges/{v}/given', { type: 'topic', durable: true });
  });

  const allowed = async (some: Partial<typeof ALL>): Promise<Session> => {
    await broker.http('PUT', `/permissions/${api.v}/${user}`, { ...ALL, ...some });
    return Session.open(broker, { url: url(user) });
  };
  const refusal = (kind: string, thing: string): string => {
    const access = broker.since('4.0') ? `${kind} access` : 'access';
    return `403 ACCESS_REFUSED - ${access} to ${thing} in vhost 'V' refused for user '${user}'`;
  };

  it('without permissions does not get into a virtual host', async () => {
    expect(await handshakeRefusal(url(user))).toContain('ConnectionClose');
  });

  it.each<[string, (session: Session) => unknown, string]>([
    ['declare a queue', ({ channel }) => channel.assertQueue('x'), "queue 'x'"],
    ['delete a queue', ({ channel }) => channel.deleteQueue('given'), "queue 'given'"],
    ['declare an exchange', ({ channel }) => channel.assertExchange('x', 'topic'), "exchange 'x'"],
    ['delete an exchange', ({ channel }) => channel.deleteExchange('given'), "exchange 'given'"],
  ])('without configure cannot %s', async (_, act, thing) => {
    const session = await allowed({ configure: '' });
    expect(await channelRefusal(session.channel, () => act(session))).toBe(refusal('configure', thing));
  });

  it.each<[string, (session: Session) => unknown, string]>([
    ['publish', ({ channel }) => channel.publish('given', 'k', Buffer.from('x')), "exchange 'given'"],
    [
      'publish to a queue',
      ({ channel }) => channel.sendToQueue('given', Buffer.from('x')),
      "exchange 'amq.default'",
    ],
    ['bind a queue', ({ channel }) => channel.bindQueue('given', 'given', 'k'), "queue 'given'"],
    [
      'bind an exchange',
      ({ channel }) => channel.bindExchange('given', 'amq.topic', 'k'),
      "exchange 'given'",
    ],
  ])('without write cannot %s', async (_, act, thing) => {
    const session = await allowed({ write: '' });
    expect(await channelRefusal(session.channel, () => act(session))).toBe(refusal('write', thing));
  });

  it.each<[string, (session: Session) => unknown, string]>([
    ['consume', ({ channel }) => channel.consume('given', () => undefined), "queue 'given'"],
    ['get', ({ channel }) => channel.get('given'), "queue 'given'"],
    ['purge', ({ channel }) => channel.purgeQueue('given'), "queue 'given'"],
    ['bind to an exchange', ({ channel }) => channel.bindQueue('given', 'given', 'k'), "exchange 'given'"],
  ])('without read cannot %s', async (_, act, thing) => {
    const session = await allowed({ read: '' });
    expect(await channelRefusal(session.channel, () => act(session))).toBe(refusal('read', thing));
  });

  it('needs more for a queue with dead letters, and for an exchange with an alternate', async () => {
    const first = await allowed({ write: '^own' });
    const dead = { arguments: { 'x-dead-letter-exchange': 'given' } };
    expect(await channelRefusal(first.channel, () => first.channel.assertQueue(fresh('own'), dead))).toBe(
      refusal('write', "exchange 'given'"),
    );
    const second = await first.connection.createChannel();
    const alternate = { alternateExchange: 'given' };
    expect(await channelRefusal(second, () => second.assertExchange(fresh('own'), 'fanout', alternate))).toBe(
      refusal('write', "exchange 'given'"),
    );
  });

  it('with any permission may ask whether something is there', async () => {
    const session = await allowed({ configure: '', write: '' });
    await session.channel.checkQueue('given');
    await session.channel.checkExchange('given');
  });

  it('is held to routing keys by topic permissions', async () => {
    const topics = { exchange: 'given', write: '^{username}\\.', read: '^a\\.' };
    await broker.http('PUT', `/topic-permissions/${api.v}/${user}`, topics);
    const session = await allowed({});
    await session.publish('given', `${user}.x`, 'x');
    const thing = "topic 'other' in exchange 'given'";
    expect(
      await channelRefusal(session.channel, () => session.channel.publish('given', 'other', Buffer.alloc(1))),
    ).toBe(refusal('write', thing));
    const second = await session.connection.createChannel();
    await second.bindQueue('given', 'given', 'a.b');
    expect(await channelRefusal(second, () => second.bindQueue('given', 'given', 'b'))).toBe(
      refusal('read', "topic 'b' in exchange 'given'"),
    );
  });
});

onEachVersion('Virtual hosts over HTTP', (broker) => {
  const api = new Api(broker);

  it('are made, shown and deleted, with what is in them', async () => {
    const name = `warren-vhost-${randomBytes(6).toString('hex')}`;
    await api.expect(201, 'PUT', `/vhosts/${name}`);
    await api.expect(204, 'PUT', `/vhosts/${name}`);
    expect(await api.get(`/vhosts/${name}`)).toMatchObject({
      name,
      description: '',
      tags: [],
      tracing: false,
    });
    expect(await api.get('/vhosts')).toEqual(expect.arrayContaining([expect.objectContaining({ name })]));
    expect(await api.get(`/vhosts/${name}/permissions`)).toMatchObject([ALL]);
    await api.expect(201, 'PUT', `/queues/${name}/q`, { durable: true });
    const session = await Session.open(broker, { url: adminUrl(broker, name) });
    const closed = nextEvent<Error>(session.connection, 'close', 'the connection to close');
    await api.expect(204, 'DELETE', `/vhosts/${name}`);
    await closed;
    for (const method of ['GET', 'DELETE'] as const) await api.expect(404, method, `/vhosts/${name}`);
    await until(
      async () => !JSON.stringify((await broker.http('GET', '/permissions')).body).includes(name),
      'its permissions to go',
    );
  });
});

/** As the one who made it. */
function adminUrl(broker: TestBroker, vhost: string): string {
  const url = new URL(broker.kind === 'embedded' ? broker.url : (process.env.RABBITMQ_URL ?? ''));
  url.pathname = `/${vhost}`;
  return url.href;
}
