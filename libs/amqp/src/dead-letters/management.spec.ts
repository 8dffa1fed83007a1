// Dead-letter queues by the management API: what it answers, and what happens to its connections.

import { afterEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { deadQueues } from './management.js';

describe('the list of dead-letter queues', () => {
  let server: Server | undefined;
  afterEach(() => void server?.close());

  async function listed(answer: RequestListener, path = ''): Promise<unknown> {
    server = createServer(answer).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    return deadQueues({ url: 'amqp://127.0.0.1', management: `http://127.0.0.1:${port}${path}` }).catch(
      (error: unknown) => error,
    );
  }

  it('is asked for again when the server closes the connection instead of answering', async () => {
    let requests = 0;
    const found = await listed((request, response) => {
      if (++requests === 1) request.socket.destroy();
      else response.end(JSON.stringify({ page_count: 1, items: [{ name: 'orders.dead', messages: 2 }] }));
    });
    expect(found).toEqual([{ queue: 'orders.dead', messages: 2 }]);
    expect(requests).toBe(2);
  });

  it.each(['/mq', '/mq/', '/', ''])('is asked for below the path of its URL: %j', async (path) => {
    const paths: unknown[] = [];
    const answer: RequestListener = ({ url }, response) => {
      paths.push(url?.split('?')[0]);
      response.end('{}');
    };
    expect(await listed(answer, path)).toEqual([]);
    expect(paths).toEqual([`${path.replace(/\/$/, '')}/api/queues/%2F`]);
  });

  it('is an error when the server never answers', async () => {
    let requests = 0;
    const error = await listed((request) => void (++requests, request.socket.destroy()));
    expect(error).toMatchObject({ code: 'WARREN_CONNECTION_REFUSED', reason: 'host' });
    expect(requests).toBe(2);
  });
});
