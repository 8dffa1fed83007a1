// Connections, channels and consumers through the management API; the broker as a whole and its health.
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { expect, it } from '@jest/globals';
import type { ChannelModel } from 'amqplib';
import { onEachVersion } from '../../support/brokers.js';
import { nextEvent, until } from '../../support/events.js';
import { Session } from '../session.js';
import { Api } from './api.js';

type Shown = Readonly<Record<string, unknown>>;

const portOf = ({ connection }: ChannelModel): number =>
  (connection as unknown as { stream: Socket }).stream.localPort ?? 0;

onEachVersion('Connections over HTTP', (broker) => {
  const api = new Api(broker);
  /** RabbitMQ shows a new connection once it has counted, every five seconds. */
  const shownOf = (path: string, connection: ChannelModel, full: (one: Shown) => boolean): Promise<Shown> =>
    until(async () => {
      const list = (await api.get(path)) as Shown[];
      return list.find((one) => String(one.name).includes(`:${portOf(connection)} `) && full(one));
    }, `${path} to show the connection`);

  it('are shown with their channels and consumers, and closed with a reason', async () => {
    const session = await Session.open(broker, { clientProperties: { connection_name: 'mine' } });
    const queue = await session.queue();
    await session.channel.prefetch(7);
    const { tag } = await session.consume(queue, { arguments: { 'x-priority': 2 } });
    await session.send(queue, ['a', 'b']);

    const connection = await shownOf('/connections', session.connection, ({ channels }) => channels === 1);
    const name = String(connection.name);
    const [user, vhost] = [decodeURIComponent(new URL(broker.url).username), api.vhost];
    expect(connection).toMatchObject({
      ...{ user, vhost, user_provided_name: 'mine', protocol: 'AMQP 0-9-1', state: 'running', ssl: false },
      ...{
        peer_host: '127.0.0.1',
        peer_port: portOf(session.connection),
        auth_mechanism: 'PLAIN',
        type: 'network',
      },
      ...{ recv_oct: expect.any(Number), send_oct_details: { rate: expect.any(Number) } },
      client_properties: { connection_name: 'mine', product: 'amqplib' },
    });
    const path = `/connections/${encodeURIComponent(name)}`;
    expect(await api.get(path)).toMatchObject({ name, user_provided_name: 'mine' });
    expect(await api.get('/vhosts/{v}/connections?columns=name')).toContainEqual({ name });

    // Statistics come in several parts.
    const channel = await shownOf(
      '/channels',
      session.connection,
      ({ message_stats: stats, consumer_count: consumers, messages_unacknowledged: unacked }) =>
        Boolean(stats) && consumers === 1 && unacked === 2,
    );
    expect(channel).toMatchObject({
      ...{ name: `${name} (1)`, number: 1, user, vhost, confirm: true, transactional: false },
      ...{ consumer_count: 1, messages_unacknowledged: 2, prefetch_count: 7, connection_details: { name } },
      message_stats: { publish: 2, confirm: 2, deliver: 2, deliver_get: 2 },
    });
    for (const list of [`${path}/channels`, '/vhosts/{v}/channels']) {
      expect(await api.get(`${list}?columns=name`)).toContainEqual({ name: `${name} (1)` });
    }
    const consumer = {
      ...{
        queue: { name: queue, vhost },
        consumer_tag: tag,
        ack_required: true,
        exclusive: false,
        active: true,
      },
      ...{ prefetch_count: 7, activity_status: 'up', arguments: { 'x-priority': 2 } },
      channel_details: expect.objectContaining({
        connection_name: name,
        number: 1,
        peer_host: '127.0.0.1',
        user,
      }),
    };
    expect(await api.get('/consumers/{v}')).toEqual([expect.objectContaining(consumer)]);
    expect(await api.get(`/channels/${encodeURIComponent(`${name} (1)`)}`)).toMatchObject({
      consumer_details: [{ consumer_tag: tag }],
    });

    const closed = nextEvent<Error>(session.connection, 'close', 'the connection to close');
    await api.expect(204, 'DELETE', path, undefined, { headers: { 'x-reason': 'to be tidy' } });
    expect((await closed).message).toContain('to be tidy');
    await until(async () => (await broker.http('GET', path)).status === 404, 'the connection to be gone');
    await api.expect(404, 'DELETE', path);
  });

  it('of one user are closed at once', async () => {
    const name = `warren-closed-${randomBytes(6).toString('hex')}`;
    await api.expect(201, 'PUT', `/users/${name}`, { password: name, tags: '' });
    await api.expect(201, 'PUT', `/permissions/{v}/${name}`, { configure: '.*', write: '.*', read: '.*' });
    const url = new URL(broker.url);
    [url.username, url.password] = [name, name];
    const sessions = [
      await Session.open(broker, { url: url.href }),
      await Session.open(broker, { url: url.href }),
    ];
    const path = `/connections/username/${name}`;
    await until(
      async () => ((await api.get(path)) as unknown[]).length === 2,
      'both connections to be listed',
    );
    const closed = sessions.map(({ connection }) => nextEvent(connection, 'close', 'a connection to close'));
    await api.expect(204, 'DELETE', path);
    await Promise.all(closed);
    await broker.http('DELETE', `/users/${name}`);
  });
});

onEachVersion('The broker over HTTP', (broker) => {
  const api = new Api(broker);

  it('says what it is and how much it holds', async () => {
    const overview = (await api.get('/overview')) as Shown & { rabbitmq_version: string; node: string };
    expect(overview.rabbitmq_version.startsWith(broker.line)).toBe(true);
    expect(overview).toMatchObject({
      ...{ node: expect.any(String), cluster_name: expect.any(String), rates_mode: 'basic' },
      object_totals: {
        ...{ connections: expect.any(Number), channels: expect.any(Number), queues: expect.any(Number) },
        ...{ exchanges: expect.any(Number), consumers: expect.any(Number) },
      },
      ...{ message_stats: expect.any(Object), queue_totals: expect.any(Object) },
      listeners: expect.arrayContaining([expect.objectContaining({ protocol: 'amqp' })]),
      exchange_types: expect.arrayContaining([expect.objectContaining({ name: 'topic', enabled: true })]),
    });
    const [node] = (await api.get('/nodes')) as Shown[];
    expect(node).toMatchObject({
      ...{ name: overview.node, running: true, type: 'disc', mem_alarm: false, disk_free_alarm: false },
      ...{ mem_used: expect.any(Number), mem_limit: expect.any(Number), uptime: expect.any(Number) },
    });
    expect(await api.get(`/nodes/${encodeURIComponent(overview.node)}?columns=name`)).toEqual({
      name: overview.node,
    });
  });

  it.each([
    '/health/checks/alarms',
    '/health/checks/local-alarms',
    '/health/checks/virtual-hosts',
    '/health/checks/node-is-quorum-critical',
    '/health/checks/certificate-expiration/1/days',
    '/health/checks/protocol-listener/amqp',
    '/healthchecks/node',
    '/aliveness-test/{v}',
  ])('is well: %s', async (path) => {
    expect(await api.get(path)).toMatchObject({ status: 'ok' });
  });

  it('says which ports and protocols it has', async () => {
    const port = Number(new URL(broker.url).port);
    expect(await api.get(`/health/checks/port-listener/${port}`)).toEqual({ status: 'ok', port });
    expect(await api.expect(503, 'GET', '/health/checks/port-listener/1')).toMatchObject({
      ...{ status: 'failed', missing: 1, ports: expect.arrayContaining([port]) },
    });
    await api.expect(503, 'GET', '/health/checks/protocol-listener/mqtt');
    await api.expect(400, 'GET', '/health/checks/port-listener/x');
    await api.expect(404, 'GET', '/aliveness-test/warren-nowhere');
  });

  it('answers what it does not have as HTTP wants it', async () => {
    expect(await api.expect(404, 'GET', '/nothing')).toEqual({
      error: 'Object Not Found',
      reason: 'Not Found',
    });
    const { status, headers } = await broker.http('POST', '/overview', {});
    expect([status, headers.get('allow')]).toEqual([405, 'HEAD, GET, OPTIONS']);
    for (const method of ['DELETE', 'PATCH'] as const) await api.expect(405, method, '/queues/{v}');
  });
});
