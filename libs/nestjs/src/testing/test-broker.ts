// The broker a test runs on: an embedded one in the test's own process, or, when RABBITMQ_URL says so, a
// real one, in a virtual host that is made for this test and removed after it.

import { randomBytes } from 'node:crypto';
import { ConfigError, type Clock } from '@warren/amqp';
import type { EmbeddedBroker, MovableClock } from '@warren/embedded';

/** Where a test connects to. */
export interface TestBroker {
  readonly url: string;
  /** The embedded one; undefined on RabbitMQ. */
  readonly embedded: EmbeddedBroker | undefined;
  /** What the embedded one goes by, and the application should. */
  readonly clock: Clock | undefined;
  /** Connections that are still open, if the broker can report them. */
  openConnections(): Promise<number>;
  stop(): Promise<void>;
}

interface Embedded {
  readonly EmbeddedBroker: typeof EmbeddedBroker;
  readonly MovableClock: typeof MovableClock;
}

/** Starts or finds the broker of a test. */
export function startTestBroker(): Promise<TestBroker> {
  const url = process.env.RABBITMQ_URL;
  return url ? onRabbitMQ(url) : embedded();
}

async function embedded(): Promise<TestBroker> {
  const name = '@warren/embedded';
  let library: Embedded;
  try {
    library = (await import(name)) as typeof library;
  } catch (error) {
    throw new ConfigError(
      'RabbitTesting needs @warren/embedded',
      'npm install --save-dev @warren/embedded, or set RABBITMQ_URL',
      error,
    );
  }
  const clock = new library.MovableClock();
  const broker = await library.EmbeddedBroker.start({ port: 0, clock });
  return {
    url: broker.url,
    embedded: broker,
    clock,
    openConnections: async () => (await broker.inspect()).connections.length,
    stop: () => broker.close(),
  };
}

/** What a test cannot know or control on RabbitMQ. */
const THERE = { embedded: undefined, clock: undefined, openConnections: () => Promise.resolve(0) };

async function onRabbitMQ(given: string): Promise<TestBroker> {
  const url = new URL(given);
  // The user chose a virtual host in the URL for tests.
  if (url.pathname.length > 1 && url.pathname !== '/%2F' && url.pathname !== '/%2f') {
    return { ...THERE, url: given, stop: async () => undefined };
  }
  const vhost = `warren-test-${randomBytes(6).toString('hex')}`;
  const user = decodeURIComponent(url.username) || 'guest';
  await management(url, 'PUT', `vhosts/${vhost}`);
  const stop = (): Promise<void> => management(new URL(given), 'DELETE', `vhosts/${vhost}`);
  try {
    await management(url, 'PUT', `permissions/${vhost}/${encodeURIComponent(user)}`, {
      configure: '.*',
      write: '.*',
      read: '.*',
    });
  } catch (error) {
    await stop().catch(() => undefined);
    throw error;
  }
  url.pathname = `/${vhost}`;
  return { ...THERE, url: url.href, stop };
}

async function management(url: URL, method: string, path: string, body?: object): Promise<void> {
  const base = process.env.RABBITMQ_MANAGEMENT_URL ?? `http://${url.hostname}:15672`;
  const login = new URL(base);
  const target = new URL(`${login.origin}${login.pathname.replace(/\/$/, '')}/api/${path}`);
  const user = decodeURIComponent(login.username || url.username || 'guest');
  const password = decodeURIComponent(login.password || url.password || 'guest');
  const hint =
    'enable the management plugin, set RABBITMQ_MANAGEMENT_URL, or name a virtual host in RABBITMQ_URL';
  let answer: Response;
  try {
    answer = await ask(target, {
      method,
      headers: {
        authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
        'content-type': 'application/json',
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
      signal: AbortSignal.timeout(10_000),
    });
  } catch (error) {
    throw new ConfigError(
      `a virtual host for the test cannot be created: ${target.host} does not answer`,
      hint,
      error,
    );
  }
  // Until it is read, its connection is not free.
  await answer.arrayBuffer();
  const gone = method === 'DELETE' && answer.status === 404;
  if (!answer.ok && !gone)
    throw new ConfigError(
      `a virtual host for the test cannot be created: ${answer.status} from ${target.host}`,
      hint,
    );
}

/** Once more when the server closed, at that moment, a connection that it kept open since the last request. */
async function ask(target: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(target, init);
  } catch (error) {
    if ((error as Error).name === 'TimeoutError') throw error;
    return fetch(target, init);
  }
}
