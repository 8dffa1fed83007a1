// A customer's endpoint, as customers have them: a real HTTP server that answers what it is told to.
import { once } from 'node:events';
import { type IncomingMessage, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { sign } from './webhooks.js';

export interface Endpoint {
  readonly url: string;
  /** Ids of the webhooks that it accepted, and how often it was asked. */
  readonly accepted: string[];
  asked: number;
  close(): void;
}

/** `status` says how the n-th request is answered. */
export async function startEndpoint(name: string, status: (asked: number) => number): Promise<Endpoint> {
  const endpoint: Endpoint = { url: '', accepted: [], asked: 0, close: () => server.close() };
  const server = createServer((request, response) => {
    answer(request)
      .then((code) => response.writeHead(code, { 'retry-after': '0.1' }).end())
      .catch(() => response.destroy());
  });

  async function answer(request: IncomingMessage): Promise<number> {
    const body = await text(request);
    if (request.headers['webhook-signature'] !== sign(body)) return 401;
    const code = status(++endpoint.asked);
    console.log(`${name}: request ${endpoint.asked}, ${code}`);
    const id = request.headers['webhook-id'];
    if (code === 200 && typeof id === 'string') endpoint.accepted.push(id);
    return code;
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(endpoint, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` });
}
