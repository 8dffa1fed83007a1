// Queues, exchanges and bindings through the management API: declare, show, list, delete; publish, get and purge.
import { expect, it } from '@jest/globals';
import { onEachVersion } from '../../support/brokers.js';
import { until } from '../../support/events.js';
import { fresh, Session, text } from '../session.js';
import { Api } from './api.js';

const MESSAGE = { properties: {}, payload: 'hello', payload_encoding: 'string' };
const GET = { count: 5, ackmode: 'ack_requeue_true', encoding: 'auto' };

onEachVersion('Queues over HTTP', (broker) => {
  const api = new Api(broker);
  const durable = { durable: true };

  it('are declared, declared again, shown and deleted', async () => {
    const [name, args] = [fresh('http'), { 'x-max-length': 10, 'x-dead-letter-exchange': 'amq.fanout' }];
    const body = { durable: true, auto_delete: false, arguments: args };
    await api.expect(201, 'PUT', `/queues/{v}/${name}`, body);
    await api.expect(204, 'PUT', `/queues/{v}/${name}`, body);
    const answer = await api.expect(400, 'PUT', `/queues/{v}/${name}`, durable);
    expect(answer).toMatchObject({
      reason: expect.stringContaining("inequivalent arg 'x-dead-letter-exchange'"),
    });
    expect(await api.get(`/queues/{v}/${name}`)).toMatchObject({
      ...{ name, vhost: api.vhost, durable: true, auto_delete: false, exclusive: false },
      ...{ arguments: args, type: 'classic', consumer_details: [], deliveries: [], incoming: [] },
    });
    await api.expect(204, 'DELETE', `/queues/{v}/${name}`);
    for (const method of ['GET', 'DELETE'] as const) await api.expect(404, method, `/queues/{v}/${name}`);
    await api.expect(404, 'DELETE', `/queues/{v}/${name}/contents`);
  });

  it.each<[string, number, object]>([
    ['wrong-flag', 400, { durable: 'yes' }],
    ['wrong-argument', 400, { durable: true, arguments: { 'x-max-length': 'a' } }],
    ['transient-quorum', 400, { arguments: { 'x-queue-type': 'quorum' } }],
    ['amq.reserved', 401, durable],
  ])('are refused: %s with %d', async (name, status, body) => {
    await api.expect(status, 'PUT', `/queues/{v}/${name}`, body);
    await api.expect(404, 'GET', `/queues/{v}/${name}`);
  });

  it('are deleted only if empty, when that is asked for', async () => {
    const [session, name] = [await Session.open(broker), fresh('http')];
    await session.channel.assertQueue(name);
    await session.send(name, ['x']);
    const answer = await api.expect(400, 'DELETE', `/queues/{v}/${name}?if-empty=true`);
    expect(answer).toMatchObject({ error: 'bad_request', reason: expect.stringContaining('not empty') });
    await session.consume(name);
    await api.expect(400, 'DELETE', `/queues/{v}/${name}?if-unused=true`);
    await api.expect(204, 'DELETE', `/queues/{v}/${name}`);
  });

  it('are listed with columns, by page, by name, sorted', async () => {
    const names = [1, 2, 3].map((n) => `paged-${n}`);
    for (const name of [...names].reverse()) await api.expect(201, 'PUT', `/queues/{v}/${name}`, durable);
    const items = names.map((name) => ({ name }));
    const query = 'columns=name&page=1&name=PAGED';
    const page = { filtered_count: 3, page: 1, page_size: 2, page_count: 2 };
    expect(await api.get(`/queues/{v}?${query}&page_size=2`)).toMatchObject({
      ...page,
      item_count: 2,
      items: items.slice(0, 2),
    });
    expect(await api.get(`/queues/{v}?${query}&page_size=2&page=2`.replace('page=1&', ''))).toMatchObject({
      ...page,
      ...{ page: 2, item_count: 1, items: items.slice(2) },
    });
    const regex = 'columns=name&page=1&use_regex=true&name=%5Epaged-%5B12%5D%24';
    expect(await api.get(`/queues/{v}?${regex}`)).toMatchObject({ filtered_count: 2, page_size: 100 });
    const sorted = 'columns=name&page=1&name=paged&sort=name&sort_reverse=true';
    expect(await api.get(`/queues/{v}?${sorted}`)).toMatchObject({ items: [...items].reverse() });
    for (const wrong of ['page=9&page_size=2', 'page=a', 'page=1&page_size=1000']) {
      await api.expect(400, 'GET', `/queues/{v}?${wrong}`);
    }
    await api.expect(404, 'GET', '/queues/warren-nowhere');
  });

  it('tell counts and consumers', async () => {
    const [session, queue] = [await Session.open(broker), fresh('counted')];
    await session.channel.assertQueue(queue);
    await session.send(queue, ['a', 'b', 'c']);
    await session.channel.get(queue);
    const counts = { messages: 3, messages_ready: 2, messages_unacknowledged: 1, message_bytes: 3 };
    // RabbitMQ counts every five seconds, and what is published apart from what is taken.
    const shown = await until(async () => {
      const now = (await api.get(`/queues/{v}/${queue}`)) as Record<string, unknown>;
      const stats = now.message_stats as Record<string, unknown> | undefined;
      const counted = Object.entries(counts).every(([name, count]) => now[name] === count);
      return counted && stats?.publish === 3 && stats.get === 1 ? now : undefined;
    }, 'the counts');
    expect(shown).toMatchObject({
      ...{ consumers: 0, messages_details: { rate: expect.any(Number) }, state: 'running' },
      message_stats: { deliver_get: 1, publish_details: { rate: expect.any(Number) } },
    });
  });
});

onEachVersion('Messages over HTTP', (broker) => {
  const api = new Api(broker);
  const declared = async (): Promise<string> => {
    const name = fresh('messages');
    await api.expect(201, 'PUT', `/queues/{v}/${name}`, { durable: true });
    return name;
  };
  const publish = (queue: string, more: object = {}): Promise<unknown> =>
    api.expect(200, 'POST', '/exchanges/{v}/amq.default/publish', {
      ...MESSAGE,
      routing_key: queue,
      ...more,
    });

  it('are published, with what becomes of them', async () => {
    const queue = await declared();
    expect(await publish(queue)).toEqual({ routed: true });
    expect(await publish('warren-nobody')).toEqual({ routed: false });
    const properties = {
      ...{ delivery_mode: 2, content_type: 'text/plain', priority: 3, message_id: 'm', timestamp: 12345 },
      ...{
        correlation_id: 'c',
        reply_to: 'r',
        type: 't',
        app_id: 'a',
        headers: { a: 1, b: 'x', c: [1], d: 1.5 },
      },
    };
    await publish(queue, { properties, payload: 'AAECAw==', payload_encoding: 'base64' });
    const session = await Session.open(broker);
    expect(text((await session.get(queue)) as never)).toBe('hello');
    const second = await session.get(queue);
    expect(second && [second.content, second.properties]).toMatchObject([
      Buffer.from([0, 1, 2, 3]),
      {
        ...{ contentType: 'text/plain', priority: 3, messageId: 'm', timestamp: 12345, deliveryMode: 2 },
        ...{
          correlationId: 'c',
          replyTo: 'r',
          type: 't',
          appId: 'a',
          headers: { a: 1, b: 'x', c: [1], d: 1.5 },
        },
      },
    ]);
  });

  it.each<[string, object]>([
    ['an unknown encoding', { payload_encoding: 'zz' }],
    ['what is not base64', { payload: '!!', payload_encoding: 'base64' }],
    ['a word as priority', { properties: { priority: 'x' } }],
    ['no payload', { payload: undefined }],
  ])('are refused with %s', async (_, more) => {
    const body = { ...MESSAGE, routing_key: 'x', ...more };
    const answer = await api.expect(400, 'POST', '/exchanges/{v}/amq.default/publish', body);
    expect(answer).toMatchObject({ error: 'bad_request' });
  });

  it('are taken, and given back', async () => {
    const queue = await declared();
    await publish(queue);
    await publish(queue, { payload: '/w==', payload_encoding: 'base64', properties: { type: 't' } });
    const path = `/queues/{v}/${queue}/get`;
    const first = {
      ...{ payload_bytes: 5, exchange: '', routing_key: queue, message_count: 1 },
      ...{ properties: [], payload: 'hello', payload_encoding: 'string' },
    };
    const second = {
      ...{ payload_bytes: 1, payload: '/w==', payload_encoding: 'base64', message_count: 0 },
      properties: { type: 't' },
    };
    expect(await api.expect(200, 'POST', path, GET)).toMatchObject([
      { ...first, redelivered: false },
      second,
    ]);
    const cut = await api.expect(200, 'POST', path, { ...GET, encoding: 'base64', truncate: 2 });
    expect(cut).toMatchObject([{ payload: 'aGU=', payload_encoding: 'base64', redelivered: true }, second]);
    await api.expect(200, 'POST', path, { ...GET, count: 1, ackmode: 'reject_requeue_true' });
    expect(
      await api.expect(200, 'POST', path, { ...GET, count: 1, ackmode: 'ack_requeue_false' }),
    ).toMatchObject([first]);
    expect(await api.expect(200, 'POST', path, { ...GET, ackmode: 'reject_requeue_false' })).toMatchObject([
      second,
    ]);
    expect(await api.expect(200, 'POST', path, GET)).toEqual([]);
  });

  it.each<[string, object]>([
    ['no mode', { ackmode: undefined }],
    ['an unknown encoding', { encoding: 'zz' }],
    ['a word as count', { count: 'x' }],
  ])('are not taken with %s', async (_, more) => {
    await api.expect(400, 'POST', `/queues/{v}/${await declared()}/get`, { ...GET, ...more });
    await api.expect(404, 'POST', '/queues/{v}/warren-nobody/get', GET);
  });

  it('are purged', async () => {
    const queue = await declared();
    await publish(queue);
    await api.expect(204, 'DELETE', `/queues/{v}/${queue}/contents`);
    expect(await (await Session.open(broker)).drain(queue)).toEqual([]);
  });
});

onEachVersion('Exchanges over HTTP', (broker) => {
  const api = new Api(broker);

  it('are declared, declared again, shown and deleted', async () => {
    const name = fresh('http');
    const body = { type: 'topic', durable: true, arguments: { 'alternate-exchange': 'amq.fanout' } };
    await api.expect(201, 'PUT', `/exchanges/{v}/${name}`, body);
    await api.expect(204, 'PUT', `/exchanges/{v}/${name}`, body);
    const answer = await api.expect(400, 'PUT', `/exchanges/{v}/${name}`, { type: 'direct', durable: true });
    expect(answer).toMatchObject({ reason: expect.stringContaining("inequivalent arg 'type'") });
    const shown = { ...body, name, vhost: api.vhost, auto_delete: false, internal: false };
    expect(await api.get(`/exchanges/{v}/${name}`)).toMatchObject(shown);
    expect(await api.get('/exchanges/{v}')).toEqual(expect.arrayContaining([expect.objectContaining(shown)]));
    await api.expect(204, 'DELETE', `/exchanges/{v}/${name}`);
    for (const method of ['GET', 'DELETE'] as const) await api.expect(404, method, `/exchanges/{v}/${name}`);
  });

  it('have the predeclared ones among them, the default one without a name', async () => {
    const list = (await api.get('/exchanges/{v}?columns=name,type')) as { name: string; type: string }[];
    expect(list).toEqual(
      expect.arrayContaining([
        { name: '', type: 'direct' },
        { name: 'amq.topic', type: 'topic' },
        { name: 'amq.match', type: 'headers' },
      ]),
    );
    expect(await api.get('/exchanges/{v}/amq.default')).toMatchObject({ name: '', type: 'direct' });
    for (const name of ['amq.default', 'amq.topic'])
      await api.expect(401, 'DELETE', `/exchanges/{v}/${name}`);
    await api.expect(401, 'PUT', '/exchanges/{v}/amq.mine', { type: 'direct' });
    await api.expect(400, 'PUT', '/exchanges/{v}/mine', { type: 'unknown' });
  });
});

onEachVersion('Bindings over HTTP', (broker) => {
  const api = new Api(broker);

  it('are made, shown, listed and removed, each by its own path', async () => {
    const [queue, exchange] = [fresh('bound'), fresh('source')];
    await api.expect(201, 'PUT', `/queues/{v}/${queue}`, { durable: true });
    await api.expect(201, 'PUT', `/exchanges/{v}/${exchange}`, { type: 'topic', durable: true });
    const path = `/bindings/{v}/e/${exchange}/q/${queue}`;
    for (const [key, name] of [
      ['a.*', 'a.%252A'],
      ['', '~'],
      ['a/b %', 'a%252Fb%2B%2525'],
    ]) {
      const { status, headers } = await broker.http('POST', path.replace('{v}', api.v), { routing_key: key });
      expect([status, headers.get('location')]).toEqual([201, `${queue}/${name}`]);
    }
    const binding = {
      ...{ source: exchange, vhost: api.vhost, destination: queue, destination_type: 'queue' },
      ...{ routing_key: 'a.*', arguments: {}, properties_key: 'a.%2A' },
    };
    expect(await api.get(`${path}/a.%252A`)).toEqual(binding);
    for (const list of [
      path,
      '/bindings/{v}',
      `/queues/{v}/${queue}/bindings`,
      `/exchanges/{v}/${exchange}/bindings/source`,
    ]) {
      expect(await api.get(list)).toEqual(expect.arrayContaining([binding]));
    }
    await api.expect(204, 'DELETE', `${path}/a.%252A`);
    await api.expect(404, 'DELETE', `${path}/a.%252A`);
    await api.expect(204, 'DELETE', `${path}/~`);
    expect(await api.get(path)).toMatchObject([{ routing_key: 'a/b %' }]);
  });

  it('can have arguments, and lead to exchanges', async () => {
    const [one, other] = [fresh('one'), fresh('other')];
    for (const name of [one, other])
      await api.expect(201, 'PUT', `/exchanges/{v}/${name}`, { type: 'headers', durable: true });
    const path = `/bindings/{v}/e/${one}/e/${other}`;
    await api.expect(201, 'POST', path, { arguments: { a: 1, 'x-match': 'any' } });
    const [binding] = (await api.get(path)) as { properties_key: string; arguments: object }[];
    expect(binding).toMatchObject({ destination_type: 'exchange', arguments: { a: 1, 'x-match': 'any' } });
    expect(await api.get(`/exchanges/{v}/${other}/bindings/destination`)).toEqual([binding]);
    await api.expect(204, 'DELETE', `${path}/${binding.properties_key}`);
    expect(await api.get(path)).toEqual([]);
  });

  it('are refused when an end is not there, and to the default exchange', async () => {
    const queue = fresh('bound');
    await api.expect(201, 'PUT', `/queues/{v}/${queue}`, { durable: true });
    const key = { routing_key: 'k' };
    await api.expect(404, 'POST', `/bindings/{v}/e/warren-nobody/q/${queue}`, key);
    await api.expect(404, 'POST', '/bindings/{v}/e/amq.topic/q/warren-nobody', key);
    await api.expect(401, 'POST', `/bindings/{v}/e//q/${queue}`, key);
    expect(await api.get(`/queues/{v}/${queue}/bindings`)).toMatchObject([
      { source: '', routing_key: queue },
    ]);
  });
});
