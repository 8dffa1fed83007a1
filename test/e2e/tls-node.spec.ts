// TLS that ends at RabbitMQ itself, and a client that is known by its certificate alone (SASL EXTERNAL). Needs a node
// with settings of its own, so it starts one where there is a RabbitMQ to test with.

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { findRabbitMQ, startRabbitMQ, type RabbitMQNode } from '../../tools/rabbitmq.mjs';
import { Collector, until, within } from '../support/events.js';
import { rejection, warren } from '../support/warren.js';

const START = 120_000;
const path = (name: string): string => join(import.meta.dirname, '../support/tls', name);
const [ca, key, cert] = ['cert.pem', 'key.pem', 'client.pem'].map((name) => readFileSync(path(name)));
const isKnown = { ca, key, cert };

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

if (process.env.RABBITMQ_URL && findRabbitMQ()) {
  describe('a RabbitMQ node that speaks TLS and knows its clients by their certificates', () => {
    let node: RabbitMQNode;
    let address: string;

    beforeAll(async () => {
      const port = await freePort();
      address = `127.0.0.1:${port}`;
      node = await startRabbitMQ({
        management: false,
        plugins: ['rabbitmq_auth_mechanism_ssl'],
        settings: [
          `listeners.ssl.1 = ${address}`,
          `ssl_options.cacertfile = ${path('cert.pem')}`,
          `ssl_options.certfile = ${path('cert.pem')}`,
          `ssl_options.keyfile = ${path('key.pem')}`,
          'ssl_options.verify = verify_peer',
          'ssl_options.fail_if_no_peer_cert = true',
          'auth_mechanisms.1 = PLAIN',
          'auth_mechanisms.2 = EXTERNAL',
          'ssl_cert_login_from = common_name',
        ],
      });
      await node.rabbitmqctl('add_user', 'warren-client', 'never-used');
      await node.rabbitmqctl('set_permissions', 'warren-client', '.*', '.*', '.*');
    }, START);
    afterAll(() => node?.stop(), START);

    it('a client without a user in its URL is who its certificate says, on every connection', async () => {
      const got = new Collector<unknown>();
      const { broker } = await warren(`amqps://${address}`, { tls: isKnown })
        .consume('known', ({ payload }) => got.push(payload))
        .open();
      await broker.send('known', 'by certificate');
      expect(await got.take(1)).toEqual(['by certificate']);
      const listed = await node.rabbitmqctl(
        'list_connections',
        '--no-table-headers',
        'user',
        'auth_mechanism',
        'ssl',
      );
      expect(listed.split('\n').map((line) => line.split('\t'))).toEqual([
        ['warren-client', 'EXTERNAL', 'true'],
        ['warren-client', 'EXTERNAL', 'true'],
      ]);
    });

    it('a user in the URL goes before the certificate', async () => {
      await warren(`amqps://guest:guest@${address}`, { tls: isKnown }).open();
      await until(async () => {
        const listed = await node.rabbitmqctl(
          'list_connections',
          '--no-table-headers',
          'user',
          'auth_mechanism',
        );
        return listed === 'guest\tPLAIN';
      }, 'the one connection to be of the user in the URL');
    });

    it('a client without a certificate is refused at once, with the reason tls', async () => {
      const refused = rejection(warren(`amqps://guest:guest@${address}`, { tls: { ca } }).open());
      expect(await within(refused, 'the refusal')).toMatchObject({
        name: 'ConnectionRefusedError',
        reason: 'tls',
      });
    });

    it('a certificate that names no user is refused at once, with the reason credentials', async () => {
      await node.rabbitmqctl('delete_user', 'warren-client');
      const refused = rejection(warren(`amqps://${address}`, { tls: isKnown }).open());
      expect(await within(refused, 'the refusal')).toMatchObject({
        name: 'ConnectionRefusedError',
        reason: 'credentials',
      });
    });
  });
}
