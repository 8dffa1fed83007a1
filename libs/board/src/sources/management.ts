// RabbitMQ's management API, for what AMQP cannot tell: lengths of all queues, and the topology as it is.

import { type Broker, DeadLetters, systemClock } from '@warren/nestjs';
import type { Unknown } from '../api/answers.js';
import type { QueueFacts } from '../api/handlers.js';
import { fits, type Shape } from './shapes.js';

/** A queue, as the management API tells it. */
export interface ManagedQueue extends QueueFacts {
  readonly name: string;
  readonly messages: number;
  readonly durable: boolean;
  readonly exclusive: boolean;
  readonly autoDelete: boolean;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** An exchange. */
export interface ManagedExchange {
  readonly name: string;
  readonly type: string;
  readonly durable: boolean;
  readonly auto_delete: boolean;
  readonly internal: boolean;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** A binding. */
export interface ManagedBinding {
  readonly source: string;
  readonly destination: string;
  readonly destination_type: string;
  readonly routing_key: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** What came of a question: a list, or why there is none. */
export type Listed<T> = { readonly list: readonly T[] } | { readonly list: undefined; readonly why: string };

const TIMEOUT = 5_000;

/** An answer is good for so long, in ms. */
const FRESH = 2_000;

/** Queues and bindings that are read. */
const MOST = 10_000;

/** Bytes of an answer. */
const MOST_BYTES = 32 * 1024 * 1024;

/** See above. */
export class Management {
  private readonly cache = new Map<
    string,
    { readonly at: number; readonly answer: Promise<Listed<unknown>> }
  >();

  constructor(
    private readonly url: string | undefined,
    private readonly broker: Broker,
  ) {}

  get isConfigured(): boolean {
    return this.url !== undefined;
  }

  async queues(): Promise<Listed<ManagedQueue>> {
    const answer = await this.list<RawQueue>('queues', QUEUE);
    return answer.list ? { list: answer.list.map(readQueue) } : answer;
  }

  exchanges(): Promise<Listed<ManagedExchange>> {
    return this.list('exchanges', EXCHANGE);
  }

  bindings(): Promise<Listed<ManagedBinding>> {
    return this.list('bindings', BINDING);
  }

  /** What an answer lacks without it. */
  lack(what: string, why: string): Unknown {
    const help = this.isConfigured
      ? `the management API: ${why}`
      : 'set RABBITMQ_MANAGEMENT_URL, or the option management';
    return { what, why: 'management', help };
  }

  private list<T>(what: string, shape: Shape): Promise<Listed<T>> {
    const now = systemClock.monotonic();
    const known = this.cache.get(what);
    if (known && now - known.at < FRESH) return known.answer as Promise<Listed<T>>;
    const answer = this.ask<T>(what, shape).catch((error: unknown): Listed<T> => {
      return { list: undefined, why: `it does not answer (${nameOf(error)})` };
    });
    this.cache.set(what, { at: now, answer });
    return answer;
  }

  private async ask<T>(what: string, shape: Shape): Promise<Listed<T>> {
    if (this.url === undefined) return { list: undefined, why: 'it is not configured' };
    const target = new URL(this.url);
    const part = (text: string): string => decodeURIComponent(text) || 'guest';
    const user = `${part(target.username)}:${part(target.password)}`;
    const vhost = encodeURIComponent(await vhostOf(this.broker));
    const base = `${target.origin}${target.pathname.replace(/\/$/, '')}`;
    const response = await fetch(`${base}/api/${what}/${vhost}`, {
      headers: { authorization: `Basic ${Buffer.from(user).toString('base64')}` },
      signal: AbortSignal.timeout(TIMEOUT),
      redirect: 'error',
    });
    if (!response.ok) {
      await response.body?.cancel();
      return { list: undefined, why: `it answers ${response.status}` };
    }
    const text = await bounded(response);
    const answer = JSON.parse(text) as unknown;
    if (!Array.isArray(answer)) return { list: undefined, why: 'its answer is no list' };
    return { list: answer.slice(0, MOST).filter((each) => fits(each, shape)) as T[] };
  }
}

async function bounded(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += part.byteLength;
    if (bytes > MOST_BYTES) throw new RangeError('its answer is too large');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** Without texts of the HTTP client, which may hold the URL. */
function nameOf(error: unknown): string {
  if (error instanceof RangeError) return error.message;
  return error instanceof Error ? error.name : 'error';
}

/** The virtual host of a connection. */
async function vhostOf({ settings: { url } }: Broker): Promise<string> {
  const [href] = [typeof url === 'function' ? await url() : url].flat();
  if (href === undefined || !URL.canParse(href)) return '/';
  const path = new URL(href).pathname.slice(1);
  return path === '' ? '/' : decodeURIComponent(path);
}

interface RawQueue {
  readonly name: string;
  readonly durable: boolean;
  readonly auto_delete: boolean;
  readonly exclusive?: unknown;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly [field: string]: unknown;
}

function readQueue({ name, durable, arguments: given, ...raw }: RawQueue): ManagedQueue {
  const number = (field: string): number => (typeof raw[field] === 'number' ? raw[field] : 0);
  const text = (field: string, other: string): string =>
    typeof raw[field] === 'string' ? raw[field] : other;
  return {
    name,
    durable,
    arguments: given,
    exclusive: raw.exclusive === true,
    autoDelete: raw.auto_delete,
    ready: number('messages_ready'),
    unacked: number('messages_unacknowledged'),
    messages: number('messages'),
    consumers: number('consumers'),
    type: text('type', 'classic'),
    state: text('state', 'running'),
  };
}

const QUEUE: Shape = { name: 'string', durable: 'boolean', auto_delete: 'boolean', arguments: {} };
const EXCHANGE: Shape = { ...QUEUE, type: 'string', internal: 'boolean' };
const BINDING: Shape = {
  source: 'string',
  destination: 'string',
  destination_type: 'string',
  routing_key: 'string',
  arguments: {},
};

/** The dead-letter client of a connection; with `exact`, names of queues are taken as they are. */
export function deadLettersOf(
  { settings }: Broker,
  more: ConstructorParameters<typeof DeadLetters>[0] = {},
): DeadLetters {
  const { url, tls, credentials, connectTimeout, heartbeat } = settings;
  return new DeadLetters({ url, tls, credentials, connectTimeout, heartbeat, ...more });
}
