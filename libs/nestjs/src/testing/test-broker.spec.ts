// A test's own virtual host on RabbitMQ: made and removed through the management API, wherever that is.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startTestBroker } from './test-broker.js';

describe('the virtual host of a test', () => {
  const given = { ...process.env };
  const asked: string[] = [];
  let refused = '';
  let server: Server;
  beforeEach(async () => {
    asked.length = 0;
    refused = '';
    server = createServer(({ method, url = '' }, response) => {
      asked.push(`${method} ${url.replace(/warren-test-\w+/, 'HOST')}`);
      response.writeHead(refused !== '' && url.includes(refused) ? 500 : 204).end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    process.env.RABBITMQ_URL = 'amqp://127.0.0.1:1';
    process.env.RABBITMQ_MANAGEMENT_URL = `http://me:pw@127.0.0.1:${(server.address() as AddressInfo).port}/mq`;
  });
  afterEach(() => {
    for (const name of ['RABBITMQ_URL', 'RABBITMQ_MANAGEMENT_URL']) {
      if (given[name] === undefined) delete process.env[name];
      else process.env[name] = given[name];
    }
    server.close();
  });

  it('is made and removed below the path of RABBITMQ_MANAGEMENT_URL', async () => {
    await (await startTestBroker()).stop();
    expect(asked).toEqual([
      'PUT /mq/api/vhosts/HOST',
      'PUT /mq/api/permissions/HOST/guest',
      'DELETE /mq/api/vhosts/HOST',
    ]);
  });

  it('is removed when it cannot be used', async () => {
    refused = 'permissions';
    await expect(startTestBroker()).rejects.toThrow('500 from 127.0.0.1');
    expect(asked.at(-1)).toBe('DELETE /mq/api/vhosts/HOST');
  });
});
