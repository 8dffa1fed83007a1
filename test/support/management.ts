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
  const response = await fetch(url, {
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

/** `RABBITMQ_URL`; a test that calls it without that variable is registered wrongly. */
export function rabbitUrl(): string {
  const url = process.env.RABBITMQ_URL;
  if (!url) throw new Error('RABBITMQ_URL is not set: this test belongs into onRabbitMQ or onEachBroker.');
  return url;
}

// Without a URL of its own: the usual port beside the broker, with the broker's credentials.
function managementUrl(): URL {
  if (process.env.RABBITMQ_MANAGEMENT_URL) return new URL(process.env.RABBITMQ_MANAGEMENT_URL);
  const broker = new URL(rabbitUrl());
  return new URL(
    `http://${broker.username || 'guest'}:${broker.password || 'guest'}@${broker.hostname}:15672`,
  );
}

function decode(text: string): string {
  return decodeURIComponent(text);
}
