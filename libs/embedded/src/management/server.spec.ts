import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { connect } from 'amqplib';
import { EmbeddedBroker, type EmbeddedBrokerOptions } from '../embedded-broker.js';
import { MAX_BODY } from './body.js';

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

async function ask(broker: EmbeddedBroker, method: string, path: string, body?: string): Promise<Answer> {
  const { origin, username, password } = new URL(broker.managementUrl ?? '');
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  const response = await fetch(`${origin}/api${path}`, { method, headers: { authorization }, body });
  const text = await response.text();
  return { status: response.status, body: text === '' ? undefined : (JSON.parse(text) as unknown) };
}

/** Sends bytes over a socket and resolves with all that comes back, when the server has hung up. */
async function raw(broker: EmbeddedBroker, text: string): Promise<string> {
  const socket = connectSocket(Number(new URL(broker.managementUrl ?? '').port), '127.0.0.1');
  let heard = '';
  socket.on('data', (chunk: Buffer) => (heard += chunk.toString('latin1')));
  socket.on('error', () => undefined);
  socket.write(text);
  await once(socket, 'close');
  return heard;
}

/** The next call but `good` ones throws what JSON.stringify throws for a text of more than 512 MB. */
function tooLong(good: number): void {
  const real = JSON.stringify;
  const spy = jest.spyOn(JSON, 'stringify');
  for (let n = 0; n < good; n += 1) spy.mockImplementationOnce(real);
  spy.mockImplementationOnce(() => {
    spy.mockRestore();
    throw new RangeError('Invalid string length');
  });
}

describe('Messages that are taken with the management API', () => {
  let broker: EmbeddedBroker;
  beforeAll(async () => {
    broker = await EmbeddedBroker.start({ management: true, maxMessageSize: 100 * 1024 * 1024 });
  });
  afterAll(() => broker.close());

  async function fill(queue: string, ...bodies: Buffer[]): Promise<void> {
    const connection = await connect(broker.url, { noDelay: true });
    const channel = await connection.createConfirmChannel();
    await channel.assertQueue(queue);
    for (const body of bodies) channel.sendToQueue(queue, body);
    await channel.waitForConfirms();
    await connection.close();
  }
  const get = (queue: string): Promise<Answer> =>
    ask(
      broker,
      'POST',
      `/queues/%2F/${queue}/get`,
      '{"count":10,"ackmode":"ack_requeue_false","encoding":"auto"}',
    );
  const lengths = ({ body }: Answer): number[] =>
    (body as { payload_bytes: number }[]).map(({ payload_bytes: length }) => length);

  it('stay in their queue when one of them cannot be shown', async () => {
    await fill('q', Buffer.from('a'), Buffer.from('bc'));
    tooLong(1);
    expect(await get('q')).toMatchObject({ status: 500 });
    expect((await broker.inspect()).queues[0]).toMatchObject({ ready: 2, unacked: 0 });
    expect(lengths(await get('q'))).toEqual([1, 2]);
  });

  it('are at most about 64 MB, the others stay', async () => {
    await fill('large', ...[40, 40, 1].map((size) => Buffer.alloc(size * 1024 * 1024, 'x')));
    expect(lengths(await get('large'))).toHaveLength(2);
    expect(lengths(await get('large'))).toEqual([1024 * 1024]);
  });
});

describe('The management API against clients that mean no good', () => {
  let broker: EmbeddedBroker;
  const login = `authorization: Basic ${Buffer.from('guest:guest').toString('base64')}\r\n`;
  beforeAll(async () => {
    broker = await EmbeddedBroker.start({ management: true });
  });
  afterAll(() => broker.close());

  it('is off unless it is wanted', async () => {
    const other = await EmbeddedBroker.start();
    expect(other.managementUrl).toBeUndefined();
    await other.close();
  });

  it('listens on loopback, where the URL says', () => {
    expect(broker.managementUrl).toMatch(/^http:\/\/guest:guest@127\.0\.0\.1:\d+$/);
  });

  it('refuses a body that is announced too large, without reading it', async () => {
    const head = `POST /api/definitions HTTP/1.1\r\nhost: localhost\r\n${login}content-length: ${MAX_BODY + 1}\r\n\r\n`;
    const answer = await raw(broker, head);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toMatch(/connection: close/i);
  });

  it.each([
    ['attacker.example', 421],
    ['localhost.attacker.example:15672', 421],
    ['127.0.0.1.attacker.example', 421],
    ['localhost:15672', 200],
    ['app.localhost', 200],
    ['[::1]:15672', 200],
    ['127.0.0.1', 200],
  ])('on loopback it is for names of this machine: %s', async (host, status) => {
    const heard = await raw(
      broker,
      `GET /api/whoami HTTP/1.1\r\nhost: ${host}\r\n${login}connection: close\r\n\r\n`,
    );
    expect(heard).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });

  it.each([
    ['POST', 'sec-fetch-site: cross-site', 403],
    ['POST', 'sec-fetch-site: same-site', 403],
    ['POST', 'origin: http://attacker.example', 403],
    ['POST', 'origin: null', 403],
    ['POST', 'sec-fetch-site: same-origin', 204],
    ['POST', 'origin: http://localhost', 204],
    ['GET', 'sec-fetch-site: cross-site', 200],
  ])('changes nothing for a form of another page: %s, %s', async (method, header, status) => {
    const path = method === 'POST' ? 'users/bulk-delete' : 'users';
    const body = method === 'POST' ? '{"users":[]}' : '';
    const lines = [`${method} /api/${path} HTTP/1.1`, 'host: localhost', header, 'content-type: text/plain'];
    const end = `${login}content-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`;
    const heard = await raw(broker, `${lines.join('\r\n')}\r\n${end}`);
    expect(heard).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });

  it('answers with 500 when a response becomes too long for a string, and goes on', async () => {
    tooLong(0);
    expect(await ask(broker, 'GET', '/overview')).toMatchObject({ status: 500 });
    expect(await ask(broker, 'GET', '/overview')).toMatchObject({ status: 200 });
  });

  it('answers garbage with 400, and a broken path with 404', async () => {
    expect(await raw(broker, 'nonsense\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /);
    expect(await ask(broker, 'GET', '/queues/%ff')).toMatchObject({ status: 404 });
    expect(await ask(broker, 'GET', '/queues/%2F/..%2F..')).toMatchObject({ status: 404 });
    const heard = await raw(broker, `GET // HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n`);
    expect(heard).toMatch(/^HTTP\/1\.1 404 /);
  });

  it.each([
    ['PUT', '/queues/%2F/q', '{"arguments":{"a":{"b":[[[[]]]]}}}', 201],
    ['PUT', '/queues/%2F/q2', '{"arguments":5}', 400],
    ['PUT', '/queues/%2F/q2', '{"arguments":[1]}', 400],
    ['PUT', '/queues/%2F/q2', '{"durable":{"__proto__":1}}', 400],
    ['PUT', '/queues/%2F/q2', '{"__proto__":{"durable":true}}', 201],
    ['PUT', '/exchanges/%2F/e', '{"type":["x"]}', 400],
    ['PUT', '/exchanges/%2F/e', '{"type":"constructor"}', 400],
    ['PUT', '/users/u', '{"password":{},"tags":{}}', 400],
    ['PUT', '/permissions/%2F/guest', '{"configure":1,"write":[],"read":{}}', 400],
    ['PUT', '/policies/%2F/p', '{"pattern":{},"definition":7}', 400],
    ['PUT', '/policies/%2F/p', '{"pattern":"","definition":{"constructor":1}}', 400],
    ['POST', '/queues/%2F/q/get', '{"count":-1,"ackmode":"ack_requeue_true","encoding":"auto"}', 400],
    ['POST', '/bindings/%2F/e/amq.topic/x/q', '{}', 404],
    ['POST', '/bindings/%2F/e/amq.headers/q/q', '{"arguments":{"x-match":"none"}}', 400],
    ['POST', '/definitions', '{"queues":{"length":1}}', 400],
    ['POST', '/definitions', '{"bindings":[null]}', 400],
    ['POST', '/users/bulk-delete', '{"users":[{},null,7]}', 204],
  ])('%s %s with %s: %d', async (method, path, body, status) => {
    const answer = await ask(broker, method, path, body);
    expect([status, answer.body]).toEqual([answer.status, answer.body]);
    expect(JSON.stringify(answer.body ?? '')).not.toMatch(/\.ts|\.js|node:|at /);
  });

  it('picks columns by name only', async () => {
    const { body } = await ask(
      broker,
      'GET',
      '/queues?columns=__proto__.polluted,constructor,name.length,name',
    );
    expect(body).toEqual(expect.arrayContaining([{ name: 'q' }]));
  });

  it('goes on after all that', async () => {
    expect(await ask(broker, 'GET', '/whoami')).toMatchObject({ status: 200, body: { name: 'guest' } });
  });

  it('cuts off who is being answered when the broker closes', async () => {
    const closing = await EmbeddedBroker.start({ management: true });
    const socket = connectSocket(Number(new URL(closing.managementUrl ?? '').port), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('GET /api/overview HTTP/1.1\r\nhost: localhost\r\n');
    await once(socket, 'connect');
    const closed = new Promise((resolve) => socket.on('close', resolve));
    await Promise.all([closing.close(), closed]);
  });
});

describe('Definitions at the start', () => {
  const folder = mkdtempSync(join(tmpdir(), 'warren-definitions-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const definitions = {
    users: [
      {
        name: 'app',
        // guest
        password_hash: 'Fobl/G+uz9GZQXHPCNI3lrktZV/jJTZ1RUFSiGOjmDgzZxdY',
        hashing_algorithm: 'rabbit_password_hashing_sha256',
        tags: ['administrator'],
      },
    ],
    vhosts: [{ name: 'shop' }],
    permissions: [{ user: 'app', vhost: 'shop', configure: '.*', write: '.*', read: '.*' }],
    queues: [
      { name: 'orders', vhost: 'shop', durable: true, auto_delete: false, arguments: { 'x-max-length': 5 } },
    ],
    exchanges: [
      { name: 'events', vhost: 'shop', type: 'topic', durable: true, auto_delete: false, arguments: {} },
    ],
    bindings: [
      {
        ...{ source: 'events', vhost: 'shop', destination: 'orders', destination_type: 'queue' },
        ...{ routing_key: 'order.#', arguments: {} },
      },
    ],
  };
  const start = (more: EmbeddedBrokerOptions): Promise<EmbeddedBroker> => EmbeddedBroker.start(more);

  it('come from a file: its users log in, its topology is there, and there is no guest', async () => {
    const broker = await start({ definitions: file('good.json', JSON.stringify(definitions)) });
    expect(broker.url).toBe(`amqp://127.0.0.1:${broker.port}`);
    await expect(connect(`amqp://guest:guest@127.0.0.1:${broker.port}`)).rejects.toThrow('403');
    const connection = await connect(`amqp://app:guest@127.0.0.1:${broker.port}/shop`);
    const channel = await connection.createConfirmChannel();
    channel.publish('events', 'order.new', Buffer.from('x'));
    await channel.waitForConfirms();
    expect(await channel.checkQueue('orders')).toMatchObject({ messageCount: 1 });
    await connection.close();
    await broker.close();
  });

  it.each([
    ['no.json', '{"queues": [\n{"name": }]}', /no\.json(:2)?: is not JSON/],
    ['list.json', '[]', 'list.json: the file must be an object'],
    ['name.json', '{"queues":[{"name":"a","vhost":"/"},{"vhost":"/"}]}', 'queues[1].name is missing'],
    [
      'vhost.json',
      '{"queues":[{"name":"a","vhost":"nowhere"}]}',
      "queues[0]: there is no virtual host 'nowhere'",
    ],
    ['type.json', '{"exchanges":[{"name":"a","vhost":"/","type":"x"}]}', 'exchanges[0]: '],
    ['hash.json', '{"users":[{"name":"a","password_hash":"x!"}]}', 'users[0].password_hash must be base64'],
    ['argument.json', '{"queues":[{"name":"a","vhost":"/","arguments":{"x-max-length":-1}}]}', 'queues[0]: '],
    [
      'binding.json',
      '{"bindings":[{"source":"amq.topic","vhost":"/","destination":"q","destination_type":"queue"}]}',
      "bindings[0]: NOT_FOUND - no queue 'q' in vhost '/'",
    ],
    [
      'policy.json',
      '{"policies":[{"vhost":"/","name":"p","pattern":"","definition":{"max":1}}]}',
      'policies[0]: Validation failed',
    ],
  ])('that are wrong are named with their place: %s', async (name, text, message) => {
    await expect(start({ definitions: file(name, text) })).rejects.toThrow(message);
  });

  it('are exported and imported by a program', async () => {
    const [one, other] = [await start({ definitions }), await start({})];
    await other.importDefinitions(await one.exportDefinitions());
    expect(await other.exportDefinitions()).toMatchObject({
      queues: definitions.queues,
      exchanges: definitions.exchanges,
      bindings: definitions.bindings,
    });
    await expect(other.importDefinitions({ queues: 5 })).rejects.toThrow(
      'definitions: queues must be a list',
    );
    await Promise.all([one.close(), other.close()]);
  });
});
