// Lists dead-letter queues through RabbitMQ's management API, page by page, since AMQP cannot list queues.

import { ConfigError, ConnectionRefusedError } from '../errors/errors.js';
import { endpoints } from '../connection/endpoints.js';
import { deadLetterSettings } from './browse-session.js';
import type { DeadLetterConnection } from './dead-letter.js';

/** A dead-letter queue and its number of messages. */
export interface DeadQueue {
  readonly queue: string;
  readonly messages: number;
}

const PAGE = 500;
const TIMEOUT = 10_000;

/** The queues of the virtual host whose names end in `.dead`, by name. */
export async function deadQueues(
  options: DeadLetterConnection & { readonly management?: string },
): Promise<readonly DeadQueue[]> {
  if (!options.management) {
    throw new ConfigError(
      'AMQP cannot list queues',
      'name a queue, or set the URL of the management API (RABBITMQ_MANAGEMENT_URL)',
    );
  }
  const [first] = await endpoints(deadLetterSettings(options));
  // The label contains it, percent-encoded.
  const vhost = new URL(first.label).pathname.slice(1) || '%2F';
  const found: DeadQueue[] = [];
  for (let page = 1, pages = 1; page <= pages; page++) {
    const query = `page=${page}&page_size=${PAGE}&name=%5C.dead%24&use_regex=true&columns=name,messages`;
    const answer = await ask(options.management, `/api/queues/${vhost}?${query}`);
    pages = answer.page_count ?? 1;
    for (const { name, messages } of answer.items ?? []) {
      found.push({ queue: String(name), messages: Number(messages ?? 0) });
    }
  }
  return found.sort((a, b) => (a.queue < b.queue ? -1 : 1));
}

interface Answer {
  readonly page_count?: number;
  readonly items?: readonly { readonly name: unknown; readonly messages?: unknown }[];
}

async function ask(management: string, path: string): Promise<Answer> {
  let target: URL;
  try {
    target = new URL(management);
  } catch {
    throw new ConfigError(
      'the URL of the management API is invalid',
      'write http://user:password@host:15672',
    );
  }
  const user = `${decodeURIComponent(target.username) || 'guest'}:${decodeURIComponent(target.password) || 'guest'}`;
  const label = `the management API at ${target.host}`;
  const authorization = `Basic ${Buffer.from(user).toString('base64')}`;
  // RabbitMQ's management.path_prefix, or that of a proxy.
  const base = `${target.origin}${target.pathname.replace(/\/$/, '')}`;
  let response: Response;
  try {
    response = await get(new URL(`${base}${path}`), authorization);
  } catch (error) {
    throw new ConnectionRefusedError(
      'host',
      `cannot reach ${label}`,
      'check that the plugin rabbitmq_management is enabled',
      error,
    );
  }
  if (response.status === 401 || response.status === 403) {
    throw new ConnectionRefusedError(
      'credentials',
      `${label} rejected the user name or password`,
      'the user needs the tag management or monitoring',
    );
  }
  if (!response.ok) {
    throw new ConnectionRefusedError(
      'protocol',
      `${label} answers ${response.status}`,
      "check that this is the URL of RabbitMQ's management API",
    );
  }
  return (await response.json()) as Answer;
}

/** Tries again when the server closed a kept-alive connection at that moment. */
async function get(url: URL, authorization: string): Promise<Response> {
  const init = { headers: { authorization }, signal: AbortSignal.timeout(TIMEOUT) };
  try {
    return await fetch(url, init);
  } catch (error) {
    if ((error as Error).name === 'TimeoutError') throw error;
    return fetch(url, init);
  }
}
