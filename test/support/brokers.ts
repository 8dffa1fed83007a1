// The same test on both brokers: an embedded one in the test's own process, and RabbitMQ when RABBITMQ_URL names
// one. Each test file gets a vhost of its own there, so that files can run side by side and leave nothing behind.
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe } from '@jest/globals';
import type { EmbeddedBroker } from '@warren/embedded';
import { connect, type ChannelModel } from 'amqplib';
import { PATIENCE, until, within } from './events.js';
import { features, type Feature } from '../contract/features.js';
import {
  httpRequest,
  type HttpAnswer,
  type HttpMethod,
  type HttpOptions,
  management,
  managementUrl,
  rabbitUrl,
} from './management.js';

export type BrokerKind = 'embedded' | 'rabbitmq';

/** What a test sees of the broker that it runs on. */
export interface TestBroker {
  readonly kind: BrokerKind;
  /** Version of RabbitMQ that it is, or imitates: `4.3`. Like `url`, only there while tests run. */
  readonly line: string;
  /** Whether it is of that line or a later one. */
  since(line: string): boolean;
  /** URL of this file's vhost. Only there while tests run, not while they are registered. */
  readonly url: string;
  /** A connection with an error listener, closed after the test. */
  connect(options?: ConnectOptions): Promise<ChannelModel>;
  /** The operator closes every connection to this file's vhost that is open now. */
  closeConnections(): Promise<void>;
  /** A further empty vhost; resolves to its URL. Gone after the file. */
  addVhost(): Promise<string>;
  /** One request to its management API, as an administrator; errors are answers too. */
  http(method: HttpMethod, path: string, body?: unknown, options?: HttpOptions): Promise<HttpAnswer>;
  /** The same; resolves to the body. Throws for an error that is not a 404 of GET or DELETE. */
  manage(method: HttpMethod, path: string, body?: unknown): Promise<unknown>;
  /** This file's vhost, as it stands in paths of the management API. */
  readonly vhostPath: string;
  /** Whether this broker has what test/contract/features.ts names; RabbitMQ has everything. */
  feature(name: Feature): boolean;
}

export interface ConnectOptions {
  /** Another URL than this file's vhost. */
  readonly url?: string;
  readonly heartbeat?: number;
  readonly clientProperties?: Readonly<Record<string, unknown>>;
}

/** Registers the same tests once for each broker that is there. */
export function onEachBroker(title: string, body: (broker: TestBroker) => void): void {
  onEmbedded(title, body);
  onRabbitMQ(title, body);
}

/** Registers what is true of RabbitMQ itself: on it, and on the embedded broker in each version that it imitates. */
export function onEachVersion(title: string, body: (broker: TestBroker) => void): void {
  onEachBroker(title, body);
  if (!process.env.WARREN_ONLY_RABBITMQ) register(title, new Embedded('3.10'), body);
}

/** Registers tests that only make sense on the embedded broker. */
export function onEmbedded(title: string, body: (broker: TestBroker) => void): void {
  if (!process.env.WARREN_ONLY_RABBITMQ) register(title, new Embedded(), body);
}

/** Registers tests that need the real thing. Without RABBITMQ_URL they do not exist; the runner says so. */
export function onRabbitMQ(title: string, body: (broker: TestBroker) => void): void {
  if (process.env.RABBITMQ_URL) register(title, new RabbitMQ(), body);
}

/** Registers tests that compare the two, the embedded one in the version of the other; like onRabbitMQ. */
export function onBothBrokers(
  title: string,
  body: (embedded: TestBroker, rabbitmq: TestBroker) => void,
): void {
  if (!process.env.RABBITMQ_URL) return;
  const rabbitmq = new RabbitMQ();
  const embedded = new Embedded(() => rabbitmq.line);
  describe(`${title} (embedded against RabbitMQ)`, () => {
    for (const broker of [rabbitmq, embedded]) live(broker);
    body(embedded, rabbitmq);
  });
}

function register(title: string, broker: Embedded | RabbitMQ, body: (broker: TestBroker) => void): void {
  describe(`${title} (${broker.title})`, () => {
    live(broker);
    body(broker);
  });
}

function live(broker: Embedded | RabbitMQ): void {
  beforeAll(() => broker.start());
  afterEach(() => broker.connections.closeAll());
  afterAll(() => broker.stop());
}

class Connections {
  readonly #open = new Set<ChannelModel>();

  async open(url: string, { heartbeat, clientProperties }: ConnectOptions): Promise<ChannelModel> {
    const target = new URL(url);
    if (heartbeat !== undefined) target.searchParams.set('heartbeat', String(heartbeat));
    const connection = await connect(target.href, { noDelay: true, timeout: PATIENCE, clientProperties });
    connection.on('error', () => undefined);
    connection.on('close', () => this.#open.delete(connection));
    this.#open.add(connection);
    return connection;
  }

  // A connection that is closing by itself rejects a second close; both are the end we want.
  async closeAll(): Promise<void> {
    const closing = [...this.#open].map((connection) => connection.close().catch(() => undefined));
    this.#open.clear();
    await within(Promise.all(closing), 'the connections of the test to close');
  }
}

/** Lines as numbers: `3.10` comes before `4.0`. */
function isSince(line: string, wanted: string): boolean {
  const [[major = 0, minor = 0], [asked = 0, least = 0]] = [line, wanted].map((each) =>
    each.split('.').map(Number),
  );
  return major === asked ? minor >= least : major > asked;
}

class Embedded implements TestBroker {
  readonly kind = 'embedded';
  readonly title: string;
  readonly connections = new Connections();
  readonly #wanted: () => string;
  #broker: EmbeddedBroker | undefined;
  #stopped = false;
  #vhosts = 0;

  constructor(wanted: string | (() => string) = '4.3') {
    this.title = wanted === '3.10' ? 'embedded as 3.10' : 'embedded';
    this.#wanted = typeof wanted === 'string' ? () => wanted : wanted;
  }

  get line(): string {
    return this.since('4.0') ? '4.3' : '3.10';
  }

  since(line: string): boolean {
    return isSince(this.#wanted(), line) || (isSince(this.#wanted(), '4.0') && isSince('4.3', line));
  }

  get url(): string {
    return started(this.#broker).url;
  }

  async start(): Promise<void> {
    const { EmbeddedBroker } = await import('@warren/embedded');
    const version = this.since('4.0') ? '4' : '3.10';
    this.#broker = await EmbeddedBroker.start({ port: 0, version, management: true });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#broker?.close();
  }

  connect(options: ConnectOptions = {}): Promise<ChannelModel> {
    return this.connections.open(options.url ?? this.url, options);
  }

  async closeConnections(): Promise<void> {
    await started(this.#broker).closeConnections();
  }

  async addVhost(): Promise<string> {
    const name = `other-${++this.#vhosts}`;
    await started(this.#broker).addVhost(name);
    return withVhost(this.url, name);
  }

  http(method: HttpMethod, path: string, body?: unknown, options?: HttpOptions): Promise<HttpAnswer> {
    const url = started(this.#broker).managementUrl;
    return httpRequest(new URL(url ?? ''), method, path, body, options);
  }

  // What a test tidies away after its file is gone with the broker.
  async manage(method: HttpMethod, path: string, body?: unknown): Promise<unknown> {
    return this.#stopped ? undefined : manage(this, method, path, body);
  }

  get vhostPath(): string {
    return vhostPath(this.url);
  }

  feature(name: Feature): boolean {
    return features[name].embedded;
  }
}

// A user of its own as well as a vhost: the management API closes all connections of one user at once.
class RabbitMQ implements TestBroker {
  readonly kind = 'rabbitmq';
  readonly title = 'RabbitMQ';
  readonly connections = new Connections();
  readonly #user = `warren-test-${randomBytes(6).toString('hex')}`;
  readonly #password = randomBytes(12).toString('hex');
  readonly #vhosts: string[] = [];
  #url: string | undefined;
  #line: string | undefined;

  get url(): string {
    return started(this.#url);
  }

  get line(): string {
    return started(this.#line);
  }

  since(line: string): boolean {
    return isSince(this.line, line);
  }

  async start(): Promise<void> {
    const { rabbitmq_version } = (await management('GET', '/overview')) as { rabbitmq_version: string };
    this.#line = rabbitmq_version.split('.').slice(0, 2).join('.');
    await management('PUT', `/users/${this.#user}`, { password: this.#password, tags: '' });
    this.#url = await this.addVhost();
  }

  async stop(): Promise<void> {
    await Promise.all(this.#vhosts.map((name) => management('DELETE', `/vhosts/${name}`)));
    await management('DELETE', `/users/${this.#user}`);
  }

  connect(options: ConnectOptions = {}): Promise<ChannelModel> {
    return this.connections.open(options.url ?? this.url, options);
  }

  // The node notes new connections a moment after it has accepted them. A connection opened now is the marker:
  // once it is listed, every older one is known too. (Without statistics: those are seconds behind.)
  async closeConnections(): Promise<void> {
    const marker = await this.connect();
    const closed = new Promise<void>((resolve) => marker.once('close', () => resolve()));
    const { localPort } = (marker.connection as unknown as { stream: Socket }).stream;
    const path = `/connections/username/${this.#user}`;
    await until(async () => {
      const listed = (await management('GET', `${path}?disable_stats=true`)) as { name: string }[];
      return listed.some(({ name }) => name.includes(`:${localPort} `));
    }, 'the management API to list the connections');
    await management('DELETE', path);
    await within(closed, 'RabbitMQ to close the connections');
  }

  async addVhost(): Promise<string> {
    const name = `${this.#user}-${this.#vhosts.length}`;
    this.#vhosts.push(name);
    await management('PUT', `/vhosts/${name}`);
    await management('PUT', `/permissions/${name}/${this.#user}`, {
      configure: '.*',
      write: '.*',
      read: '.*',
    });
    const url = new URL(rabbitUrl());
    url.username = this.#user;
    url.password = this.#password;
    return withVhost(url.href, name);
  }

  http(method: HttpMethod, path: string, body?: unknown, options?: HttpOptions): Promise<HttpAnswer> {
    return httpRequest(managementUrl(), method, path, body, options);
  }

  manage(method: HttpMethod, path: string, body?: unknown): Promise<unknown> {
    return manage(this, method, path, body);
  }

  get vhostPath(): string {
    return vhostPath(this.url);
  }

  feature(_name: Feature): boolean {
    return true;
  }
}

async function manage(
  broker: Pick<TestBroker, 'http'>,
  method: HttpMethod,
  path: string,
  body?: unknown,
): Promise<unknown> {
  const headers = { 'x-reason': 'CONNECTION_FORCED by the test' };
  const answer = await broker.http(method, path, body, { headers });
  if (answer.status < 300) return answer.body;
  if (answer.status === 404 && method !== 'PUT') return undefined;
  throw new Error(`${method} ${path} of the management API: ${answer.status} ${JSON.stringify(answer.body)}`);
}

/** The vhost of a URL; one without a path means `/`. */
function vhostPath(url: string): string {
  return new URL(url).pathname.slice(1) || '%2F';
}

function withVhost(url: string, vhost: string): string {
  const changed = new URL(url);
  changed.pathname = `/${encodeURIComponent(vhost)}`;
  return changed.href;
}

function started<T>(broker: T | undefined): T {
  if (broker === undefined)
    throw new Error('The broker runs only while tests run: use it inside it() or beforeAll().');
  return broker;
}
