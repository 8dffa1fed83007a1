// Opening: what is wrong is said in one word and one sentence, at once when waiting would not help, and
// never with the password in it.

import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { BrokerOptions, ConnectionRefusedError } from '@warren/amqp';
import { onEachBroker, onRabbitMQ } from '../support/brokers.js';
import { Collector, until, within } from '../support/events.js';
import { management } from '../support/management.js';
import { eventOf, logged, rejection, warren, type Warren } from '../support/warren.js';

const SECRET = 's3cr3t-pässwörd';

/** Everything somebody could print of an error or a broker object, with what was logged. */
function everything(rabbit: Warren, error: Error): string {
  const chain: unknown[] = [];
  for (let at: unknown = error; at instanceof Error && chain.length < 10; at = at.cause) chain.push(at);
  return [
    ...chain.map(
      (each) =>
        inspect(each, { depth: 10, showHidden: true }) + JSON.stringify(each) + String((each as Error).stack),
    ),
    ...rabbit.lines,
    JSON.stringify(rabbit.broker.status()),
    ...rabbit.events.all.map((event) => inspect(event, { depth: 10 })),
  ].join('\n');
}

const servers: Server[] = [];
const sockets = new Set<Socket>();

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

/** Something that listens and is no broker. */
async function listener(onConnection: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `amqp://user:${encodeURIComponent(SECRET)}@127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('opening without a broker', () => {
  it('nobody listens: reason host, after startupTimeout, not before', async () => {
    const rabbit = warren(`amqp://user:${encodeURIComponent(SECRET)}@127.0.0.1:1/v`, {
      startupTimeout: 1_000,
    });
    const began = performance.now();
    const error = await rejection<ConnectionRefusedError>(rabbit.open());
    expect(performance.now() - began).toBeGreaterThan(950);
    expect(error).toMatchObject({
      code: 'WARREN_CONNECTION_REFUSED',
      reason: 'host',
      message: expect.stringContaining('amqp://127.0.0.1:1/v'),
    });
    expect(everything(rabbit, error)).not.toMatch(/s3cr3t|user:/);
  });

  it('a host that does not exist: reason host', async () => {
    const rabbit = warren('amqp://no-such-host.invalid', { startupTimeout: 2_000 });
    expect(await rejection(rabbit.open())).toMatchObject({
      code: 'WARREN_CONNECTION_REFUSED',
      reason: 'host',
    });
  });

  it('something that accepts and stays silent: reason timeout', async () => {
    const rabbit = warren(await listener(() => undefined), { connectTimeout: 100, startupTimeout: 400 });
    const error = await rejection(rabbit.open());
    expect(error).toMatchObject({ code: 'WARREN_CONNECTION_REFUSED', reason: 'timeout' });
    expect(everything(rabbit, error)).not.toContain('s3cr3t');
  });

  it('something that speaks another language: a refusal, no crash', async () => {
    const rabbit = warren(await listener((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')), {
      startupTimeout: 1_000,
    });
    const error = await rejection(rabbit.open());
    expect(error.code).toBe('WARREN_CONNECTION_REFUSED');
    expect(everything(rabbit, error)).not.toContain('s3cr3t');
  });

  it.each<[string, BrokerOptions]>([
    ['url', { url: () => new Promise<string>(() => undefined) }],
    ['credentials', { credentials: () => new Promise<never>(() => undefined) }],
  ])(
    'a function %s that never answers: reason timeout, and closing does not wait for it',
    async (_what, options) => {
      const rabbit = warren('amqp://127.0.0.1:1', { ...options, connectTimeout: 100, startupTimeout: 400 });
      const opening = rejection(rabbit.open());
      const error = await within(opening, 'open()');
      expect(error).toMatchObject({ code: 'WARREN_CONNECTION_REFUSED', reason: 'timeout' });
      expect(error.message).toContain('the function url or credentials did not answer within 100 ms');
      const other = warren('amqp://127.0.0.1:1', { ...options, connectTimeout: '5m', startupTimeout: '5m' });
      const never = rejection(other.open());
      await within(other.broker.close(), 'close()');
      expect((await never).code).toBe('WARREN_CONNECTION_LOST');
    },
  );

  it('what never left says so, and why', async () => {
    const rabbit = await warren('amqp://127.0.0.1:1', { startup: 'background' }).open();
    await eventOf(rabbit, 'connect-failed');
    const [sent, called] = await Promise.all([
      rejection(rabbit.broker.send('somewhere', 1, { timeout: 100 })),
      rejection(rabbit.broker.request('somewhere', 1, { timeout: 100 })),
    ]);
    const why = 'there is no connection: cannot reach amqp://127.0.0.1:1/ (ECONNREFUSED)';
    expect([sent.code, called.code]).toEqual(['WARREN_PUBLISH_TIMEOUT', 'WARREN_RPC_NOT_SENT']);
    expect(sent.message).toContain(why);
    expect(called.message).toContain(`was not sent within 100 ms: ${why}`);
  });

  it('closing while it connects ends the attempt and leaves nothing open', async () => {
    const connected = new Collector<Socket>();
    const rabbit = warren(await listener(connected.push), { connectTimeout: '5m' });
    const opening = rejection(rabbit.open());
    const socket = await connected.one();
    const gone = new Promise((resolve) => socket.on('close', resolve));
    await within(rabbit.broker.close(), 'close()');
    expect((await opening).code).toBe('WARREN_CONNECTION_LOST');
    await within(gone, 'the socket to end');
  });

  it('a URL that cannot be read is said without repeating it', async () => {
    for (const url of [
      `http://user:${SECRET}@host`,
      `amqp://user:${SECRET}@host:port`,
      'amqp://host/%zz',
      'amqp://user:12/s3cr3t@host/',
      'amqp://user:12#s3cr3t@host',
      'amqp://user:12?s3cr3t@host',
      'amqp://host?heartbeat=soon',
      'not a url',
    ]) {
      const rabbit = warren(url);
      const error = await rejection(rabbit.open());
      expect([url, error.code]).toEqual([url, 'WARREN_CONFIG']);
      expect(everything(rabbit, error)).not.toContain('s3cr3t');
    }
  });

  it.each<[string, BrokerOptions]>([
    ['prefetch', { prefetch: 70_000 }],
    ['heartbeat', { heartbeat: -1 }],
    ['shutdown', { shutdown: 'soon' as '1s' }],
    ['retry', { retry: { attempts: 0 } }],
    ['url', { url: '' }],
    ['nonsense', { nonsense: 1 } as BrokerOptions],
  ])('a bad option is an error that names it: %s', (name, options) => {
    expect(() => warren('amqp://x', options)).toThrow(new RegExp(`'${name}`));
  });

  it('handlers that make no sense are refused before any socket', async () => {
    const rabbit = warren('amqp://127.0.0.1:1');
    expect(() => rabbit.consume('', () => 1)).toThrow(/@Consume/);
    expect(() => rabbit.subscribe('a'.repeat(300), () => 1, { id: 'long' })).toThrow(
      /@Subscribe .*routing key is 300 bytes/,
    );
    expect(() => rabbit.rpc('x', () => 1, { batch: { size: 2 } })).toThrow(/@RpcHandler x/);
    expect(() => rabbit.consume('x', () => 1, { retry: { attempts: 'many' as unknown as number } })).toThrow(
      /'retry\.attempts'/,
    );
    expect(rabbit.broker.status().connections[0].state).toBe('idle');
    await rabbit.broker.close();
    expect(await rejection(rabbit.open())).toMatchObject({ code: 'WARREN_CONNECTION_LOST' });
    expect(rabbit.broker.status().connections.map(({ state }) => state)).toEqual(['closed']);
  });
});

onEachBroker('opening', (broker) => {
  /** Whatever ends within a test did not wait for this. */
  const atLeisure: BrokerOptions = { startupTimeout: '5m' };
  const changed = (change: (url: URL) => void): string => {
    const url = new URL(broker.url);
    change(url);
    return url.href;
  };

  it('a wrong password is known at once: reason credentials', async () => {
    const rabbit = warren(
      changed((url) => (url.password = encodeURIComponent(SECRET))),
      atLeisure,
    ).consume('q', () => 1);
    const error = await within(rejection<ConnectionRefusedError>(rabbit.open()), 'the refusal');
    expect(error).toMatchObject({ code: 'WARREN_CONNECTION_REFUSED', reason: 'credentials' });
    expect(rabbit.lines.join()).not.toContain('next attempt');
    expect(everything(rabbit, error)).not.toContain('s3cr3t');
  });

  it('a missing vhost is known at once: reason vhost', async () => {
    const rabbit = warren(
      changed((url) => (url.pathname = '/no%2Fsuch')),
      atLeisure,
    );
    const error = await within(rejection<ConnectionRefusedError>(rabbit.open()), 'the refusal');
    expect(error).toMatchObject({ code: 'WARREN_CONNECTION_REFUSED', reason: 'vhost' });
    expect(everything(rabbit, error)).not.toContain(decodeURIComponent(new URL(broker.url).password) + '@');
  });

  it('of several URLs the first that works is taken', async () => {
    const rabbit = await warren('amqp://x', { url: ['amqp://127.0.0.1:1', broker.url] })
      .consume('several', () => 1)
      .open();
    expect(rabbit.broker.status().consumers[0].ready).toBe(true);
  });

  it('of several URLs one that refuses does not end the start; when all do, it ends', async () => {
    const bad = changed((url) => (url.password = encodeURIComponent(SECRET)));
    const url = [bad, broker.url];
    expect((await warren('amqp://x', { url }).open()).broker.status().connections[0].state).toBe('open');
    const refused = rejection<ConnectionRefusedError>(warren('amqp://x', { url: [bad, bad] }).open());
    expect(await within(refused, 'the refusal')).toMatchObject({ reason: 'credentials' });
  });

  it('URL and credentials may be functions, asked again for each attempt; one that fails is asked again', async () => {
    let asked = 0;
    const { username, password } = new URL(broker.url);
    const rabbit = warren('amqp://x', {
      url: () => Promise.resolve(changed((url) => ([url.username, url.password] = ['nobody', 'nothing']))),
      credentials: () => {
        if (++asked === 1) throw new Error(`vault says no`);
        return { username: decodeURIComponent(username), password: decodeURIComponent(password) };
      },
    });
    await rabbit.open();
    expect(asked).toBe(2);
  });

  it('in the background it resolves at once and consumes when the broker appears', async () => {
    let there = false;
    const got = new Collector<unknown>();
    const rabbit = await warren('amqp://x', {
      startup: 'background',
      url: () => (there ? broker.url : 'amqp://127.0.0.1:1'),
    })
      .consume('background', ({ payload }) => got.push(payload))
      .open();
    expect(rabbit.broker.status().consumers[0].ready).toBe(false);
    const early = rabbit.broker.publish('early', 1);
    await eventOf(rabbit, 'connect-failed');
    there = true;
    await eventOf(rabbit, 'consumer-ready');
    expect((await early).routed).toBe(false);
    await rabbit.broker.send('background', 1);
    expect(await got.one()).toBe(1);
  });

  it('what was declared is there in the background too, also for those who published before', async () => {
    const rabbit = warren(broker.url, { startup: 'background' });
    rabbit.broker.declare({ queues: [{ name: 'declared' }] });
    expect((await rabbit.broker.publish('early', 1)).routed).toBe(false);
    await rabbit.open();
    const reached = (): Promise<boolean> =>
      rabbit.broker.send('declared', 1).then(
        () => true,
        () => false,
      );
    await until(reached, 'the queue to be declared');
  });

  it('what is declared after the first publish is there when open() resolves', async () => {
    const rabbit = warren(broker.url);
    expect((await rabbit.broker.publish('early', 1)).routed).toBe(false);
    rabbit.broker.declare({ queues: [{ name: 'declared.later' }] });
    await rabbit.open();
    await expect(rabbit.broker.send('declared.later', 1)).resolves.toMatchObject({ routed: true });
  });

  it('a consumer that is refused for good fails the start with the broker’s reason', async () => {
    const missing = warren(broker.url).consume('absent', () => 1, { declare: 'skip' });
    expect(await rejection(missing.open())).toMatchObject({
      code: 'WARREN_TOPOLOGY_MISSING',
      missing: 'absent',
      what: 'queue',
    });
    await logged(missing, 'queue absent');
    expect(missing.broker.status().connections.map(({ state }) => state)).toEqual(['closed', 'closed']);
  });

  it('consumers: false declares and publishes, and consumes nothing', async () => {
    const got = new Collector<unknown>();
    const rabbit = await warren(broker.url, { consumers: false }).consume('only', got.push).open();
    await rabbit.broker.send('only', 1);
    expect(rabbit.broker.status().consumers).toEqual([]);
    expect(rabbit.broker.status().connections).toHaveLength(1);
    expect(got.size).toBe(0);
  });
});

onRabbitMQ('opening', (broker) => {
  const limit = (path: string, value: number): Promise<unknown> => management('PUT', path, { value });

  it.each(['amqp', 'credentials'])('a limit of connections is said, and waited for (%s)', async (kind) => {
    const url = new URL(await broker.addVhost());
    const vhost = url.pathname.slice(1);
    await limit(`/vhost-limits/${vhost}/max-connections`, 0);
    const { username, password } = url;
    const credentials = { username, password: decodeURIComponent(password) };
    const rabbit = warren(url.href, kind === 'amqp' ? {} : { credentials });
    const opened = rabbit.open();
    const { error } = await eventOf(rabbit, 'connect-failed');
    expect(error).toMatchObject({
      reason: 'limit',
      message: expect.stringContaining('connection limit (0)'),
    });
    expect(rabbit.lines.join()).not.toContain('no such virtual host');
    await limit(`/vhost-limits/${vhost}/max-connections`, -1);
    await opened;
  });

  it('a virtual host that is not there, and one that the user may not use, are told apart', async () => {
    const url = new URL(broker.url);
    url.pathname = '/nowhere';
    expect((await rejection(warren(url.href).open())).message).toContain('vhost nowhere not found');
    const other = new URL(await broker.addVhost());
    await management('DELETE', `/permissions/${other.pathname.slice(1)}/${other.username}`);
    expect((await rejection(warren(other.href).open())).message).toContain('refused for user');
  });

  it('a limit of channels is said when no consumer can begin', async () => {
    const url = new URL(broker.url);
    await limit(`/user-limits/${url.username}/max-channels`, 1);
    try {
      const rabbit = warren(url.href, { startupTimeout: 2_000 });
      for (const queue of ['one', 'two', 'three']) rabbit.consume(queue, () => 1);
      expect((await rejection(rabbit.open())).message).toContain('number of channels');
    } finally {
      await management('DELETE', `/user-limits/${url.username}/max-channels`);
    }
  });
});
