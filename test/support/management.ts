// RabbitMQ's management HTTP API, as far as tests need it: a vhost for each test file, and cutting connections.
import { PATIENCE } from './events.js';

/** One call; resolves to the decoded answer (undefined when empty). 404 is an answer for GET and DELETE. */
export async function management(
  method: 'GET' | 'PUT' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<unknown> {
  const base = managementUrl();
  const authorization = `Basic ${Buffer.from(`${decode(base.username)}:${decode(base.password)}`).toString('base64')}`;
  const url = new URL(`/api${path}`, `${base.protocol}//${base.host}`);
  const response = await ask(url, {
    method,
    headers: {
      authorization,
      'content-type': 'application/json',
      'x-reason': 'CONNECTION_FORCED by the test',
    },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(PATIENCE),
  });
  const text = await response.text();
  if (response.ok) return text ? (JSON.parse(text) as unknown) : undefined;
  if (response.status === 404 && method !== 'PUT') return undefined;
  throw new Error(`${method} ${path} of RabbitMQ's management API: ${response.status} ${text.slice(0, 200)}`);
}

/** Once more when the server closed, at that moment, a connection that it kept open since the last request. */
function ask(url: URL, init: RequestInit): Promise<Response> {
  return fetch(url, init).catch((error: unknown) => {
    if ((error as Error).name === 'TimeoutError') throw error;
    return fetch(url, init);
  });
}

/** `RABBITMQ_URL`; a test that calls it without that variable is registered wrongly. */
export function rabbitUrl(): string {
  const url = process.env.RABBITMQ_URL;
  if (!url) throw new Error('RABBITMQ_URL is not set: this test belongs into onRabbitMQ or onEachBroker.');
  return url;
}

export type HttpMethod = 'GET' | 'PUT' | 'POST' | 'DELETE' | 'PATCH';

export interface HttpOptions {
  /** Name and password; null for none. Default: the administrator's. */
  readonly login?: readonly [string, string] | null;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed; undefined when empty. */
  readonly body: unknown;
}

/** One request to a management API. A body that is text goes as it is. */
export async function httpRequest(
  base: URL,
  method: HttpMethod,
  path: string,
  body?: unknown,
  { login = [decode(base.username), decode(base.password)], headers }: HttpOptions = {},
): Promise<HttpAnswer> {
  const authorization = login && `Basic ${Buffer.from(login.join(':')).toString('base64')}`;
  const response = await ask(new URL(`/api${path}`, `${base.protocol}//${base.host}`), {
    method,
    headers: { 'content-type': 'application/json', ...(authorization && { authorization }), ...headers },
    body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
    signal: AbortSignal.timeout(PATIENCE),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? undefined : (JSON.parse(text) as unknown),
  };
}

// Without a URL of its own: the usual port beside the broker, with the broker's credentials.
export function managementUrl(): URL {
  if (process.env.RABBITMQ_MANAGEMENT_URL) return new URL(process.env.RABBITMQ_MANAGEMENT_URL);
  const broker = new URL(rabbitUrl());
  return new URL(
    `http://${broker.username || 'guest'}:${broker.password || 'guest'}@${broker.hostname}:15672`,
  );
}

function decode(text: string): string {
  return decodeURIComponent(text);
}
