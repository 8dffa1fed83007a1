// Definitions through the management API: what one broker exports, another takes, also across the two.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from '@jest/globals';
import { EmbeddedBroker } from '@warren/embedded';
import { connect } from 'amqplib';
import { onBothBrokers, onEachVersion, type TestBroker } from '../../support/brokers.js';
import { Session } from '../session.js';
import { Api } from './api.js';

type Definitions = Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>;

const QUEUES = [
  { name: 'plain', durable: true, auto_delete: false, arguments: {} },
  {
    name: 'limited',
    durable: true,
    auto_delete: false,
    arguments: { 'x-max-length': 2, 'x-overflow': 'drop-head' },
  },
];
const EXCHANGE = {
  name: 'events',
  type: 'topic',
  durable: true,
  auto_delete: false,
  internal: false,
  arguments: {},
};
/** RabbitMQ 4 leaves out `internal` where it is false. */
const { internal: _, ...SHOWN_EXCHANGE } = EXCHANGE;
const BINDING = {
  ...{ source: 'events', destination: 'plain', destination_type: 'queue', routing_key: 'a.#' },
  arguments: { x: 1 },
};
const POLICY = {
  name: 'ttl',
  pattern: '^limited',
  definition: { 'message-ttl': 60_000 },
  'apply-to': 'queues',
  priority: 1,
};
const OPERATOR = { pattern: '', definition: { expires: 600_000 }, 'apply-to': 'queues', priority: 0 };

/** Declares some of each. */
async function furnish(api: Api): Promise<void> {
  for (const { name, ...queue } of QUEUES) await api.put(`/queues/{v}/${name}`, queue);
  await api.put('/exchanges/{v}/events', EXCHANGE);
  await api.expect(201, 'POST', '/bindings/{v}/e/events/q/plain', BINDING);
  await api.put('/policies/{v}/ttl', POLICY);
  await api.put('/operator-policies/{v}/limit', OPERATOR);
}

/** RabbitMQ 4 writes the type of a queue that nobody gave. */
const some = (values: object): unknown => expect.objectContaining(values);
const expected = {
  queues: expect.arrayContaining(
    QUEUES.map(({ arguments: args, ...queue }) => some({ ...queue, arguments: some(args) })),
  ),
  exchanges: expect.arrayContaining([some(SHOWN_EXCHANGE)]),
  bindings: expect.arrayContaining([some(BINDING)]),
  policies: expect.arrayContaining([some(POLICY)]),
  parameters: expect.arrayContaining([
    some({ component: 'operator_policy', name: 'limit', value: OPERATOR }),
  ]),
};

/** What is only in one virtual host of them. */
function within(definitions: Definitions, vhost: string): Definitions {
  const parts = ['permissions', 'queues', 'exchanges', 'bindings', 'policies', 'parameters'].map((part) => [
    part,
    definitions[part].filter((thing) => thing.vhost === vhost),
  ]);
  return { vhosts: [{ name: vhost }], ...(Object.fromEntries(parts) as Definitions) };
}

async function inNewVhost(broker: TestBroker, use: (vhost: string) => Promise<void>): Promise<void> {
  const vhost = `warren-imported-${randomBytes(6).toString('hex')}`;
  await use(vhost);
  await broker.http('DELETE', `/vhosts/${vhost}`);
}

onEachVersion('Definitions', (broker) => {
  const api = new Api(broker);

  it('of a virtual host are exported, and imported into another', async () => {
    await furnish(api);
    const definitions = await api.get('/definitions/{v}');
    expect(definitions).toMatchObject(expected);
    await inNewVhost(broker, async (vhost) => {
      await api.expect(201, 'PUT', `/vhosts/${vhost}`);
      await api.expect(204, 'POST', `/definitions/${vhost}`, definitions);
      expect(await api.get(`/definitions/${vhost}`)).toMatchObject(expected);
    });
  });

  it('of everything name users, virtual hosts and permissions too', async () => {
    const all = (await api.get('/definitions')) as Definitions;
    const guest = {
      name: 'guest',
      hashing_algorithm: 'rabbit_password_hashing_sha256',
      tags: ['administrator'],
    };
    expect(all.users).toEqual(expect.arrayContaining([some(guest)]));
    expect(all.vhosts).toEqual(expect.arrayContaining([some({ name: api.vhost })]));
    expect(all.permissions).toEqual(
      expect.arrayContaining([{ user: 'guest', vhost: api.vhost, configure: '.*', write: '.*', read: '.*' }]),
    );
    expect(all).toMatchObject(expected);
  });

  it('leave out what belongs to a connection, and what every broker has', async () => {
    const session = await Session.open(broker);
    const { queue } = await session.channel.assertQueue('', { exclusive: true });
    await session.channel.bindQueue(queue, 'amq.topic', 'k');
    const { queues, exchanges } = (await api.get('/definitions/{v}')) as Definitions;
    const names = [...queues, ...exchanges].map(({ name }) => String(name));
    expect(names.filter((name) => name === queue || name.startsWith('amq.'))).toEqual([]);
  });

  it('leave what is there as it is, but set permissions and policies anew', async () => {
    const vhost = api.vhost;
    await api.expect(204, 'POST', '/definitions', {
      queues: [{ ...QUEUES[1], vhost, arguments: { 'x-max-length': 9 } }],
      policies: [{ ...POLICY, vhost, priority: 7 }],
    });
    expect(await api.get('/queues/{v}/limited')).toMatchObject({ arguments: { 'x-max-length': 2 } });
    expect(await api.get('/policies/{v}/ttl')).toMatchObject({ priority: 7 });
  });

  it.each<[string, unknown]>([
    ['are no JSON', '{wrong'],
    ['name a virtual host that is not there', { queues: [{ ...QUEUES[0], vhost: 'warren-nowhere' }] }],
    ['have a wrong policy', { policies: [{ ...POLICY, vhost: '/', definition: { 'max-length': 'x' } }] }],
  ])('are refused when they %s', async (_, body) => {
    expect(await api.expect(400, 'POST', '/definitions', body)).toMatchObject({ error: 'bad_request' });
  });

  it('are not there for a virtual host that is not', async () => {
    await api.expect(400, 'GET', '/definitions/warren-nowhere');
    await api.expect(404, 'POST', '/definitions/warren-nowhere', {});
  });
});

onBothBrokers('Definitions of one broker', (embedded, rabbitmq) => {
  it.each([
    ['RabbitMQ', 'embedded'],
    ['embedded', 'RabbitMQ'],
  ])('of %s are taken by the other', async (from) => {
    const [source, target] = from === 'RabbitMQ' ? [rabbitmq, embedded] : [embedded, rabbitmq];
    const [api, other] = [new Api(source), new Api(target)];
    const furnished = (await source.http('GET', `/queues/${api.v}/plain`)).status === 200;
    if (!furnished) await furnish(api);
    const all = within((await api.get('/definitions')) as Definitions, api.vhost);
    await inNewVhost(target, async (vhost) => {
      const moved = JSON.parse(JSON.stringify(all), (key, value: unknown) =>
        key === 'vhost' || (key === 'name' && value === api.vhost) ? vhost : value,
      ) as Definitions;
      const guests = { ...moved, permissions: moved.permissions.filter(({ user }) => user === 'guest') };
      await other.expect(204, 'POST', '/definitions', guests);
      expect(await other.get(`/definitions/${vhost}`)).toMatchObject(expected);
    });
  });
});

onBothBrokers('Definitions of RabbitMQ at the start', (embedded, rabbitmq) => {
  const user = `warren-exported-${randomBytes(6).toString('hex')}`;
  const folder = mkdtempSync(join(tmpdir(), 'warren-definitions-'));
  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await rabbitmq.manage('DELETE', `/users/${user}`);
  });

  it('make an embedded broker that its users can use as they are', async () => {
    const api = new Api(rabbitmq);
    await furnish(api);
    const named = await Session.open(rabbitmq);
    const { queue: made } = await named.channel.assertQueue('', { durable: true });
    for (const type of ['quorum', 'stream'])
      await api.put(`/queues/{v}/${type}%2F\u00fc`, { durable: true, arguments: { 'x-queue-type': type } });
    await api.put(`/users/${user}`, { password: 'as before', tags: 'monitoring' });
    await api.put(`/permissions/{v}/${user}`, { configure: '', write: '^plain$', read: '.*' });
    await api.put(`/topic-permissions/{v}/${user}`, { exchange: 'events', write: '^a', read: '.*' });
    await api.put('/vhost-limits/{v}/max-queues', { value: 100 });
    const file = join(folder, 'definitions.json');
    writeFileSync(file, JSON.stringify(await api.get('/definitions')));
    const version = embedded.since('4.0') ? '4' : '3.10';
    const broker = await EmbeddedBroker.start({ definitions: file, version });
    try {
      const url = new URL(`amqp://127.0.0.1:${broker.port}/${api.v}`);
      const connection = await connect(url.href.replace('//', `//${user}:as%20before@`));
      const channel = await connection.createChannel();
      channel.on('error', () => undefined);
      for (const name of ['plain', 'limited', 'quorum/\u00fc', 'stream/\u00fc', made])
        expect(await channel.checkQueue(name)).toMatchObject({ queue: name, messageCount: 0 });
      await expect(channel.assertQueue('new')).rejects.toThrow(/403/);
      await connection.close();
      const exported = (await broker.exportDefinitions()) as unknown as Definitions;
      expect(within(exported, api.vhost)).toMatchObject(expected);
      const topics = exported.topic_permissions.filter((each) => each.user === user);
      expect(topics).toEqual([some({ exchange: 'events', write: '^a', read: '.*' })]);
    } finally {
      await broker.close();
    }
  });
});
