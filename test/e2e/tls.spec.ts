// amqps: a server that proves itself, and one that does not. TLS ends at a small proxy before the broker;
// the certificate in test/support/tls is its own authority and is valid for a hundred years.

import { afterEach, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { onEachBroker } from '../support/brokers.js';
import { Collector } from '../support/events.js';
import { warren } from '../support/warren.js';

const file = (name: string): Buffer => readFileSync(join(import.meta.dirname, '../support/tls', name));
const ca = file('cert.pem');

onEachBroker('TLS', (broker) => {
  const sockets = new Set<Socket>();
  let proxy: Server | undefined;
  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    proxy?.close();
  });

  async function secureUrl(): Promise<string> {
    const target = new URL(broker.url);
    const { hostname, port } = target;
    proxy = createServer({ key: file('key.pem'), cert: ca }, (secure) => {
      const plain = connect(Number(port), hostname);
      for (const socket of [secure, plain]) {
        sockets.add(socket);
        socket.on('error', () => undefined);
      }
      secure.pipe(plain).pipe(secure);
    });
    // A client that does not trust the certificate hangs up in the handshake.
    proxy.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => proxy?.listen(0, '127.0.0.1', resolve));
    target.protocol = 'amqps:';
    target.port = String((proxy.address() as AddressInfo).port);
    return target.href;
  }

  it('connects when the authority is known, and messages go both ways', async () => {
    const got = new Collector<unknown>();
    const url = await secureUrl();
    const { broker: rabbit } = await warren(url, { tls: { ca } })
      .consume('secret', ({ payload }) => got.push(payload))
      .open();
    await rabbit.send('secret', 'over TLS');
    expect(await got.take(1)).toEqual(['over TLS']);
  });

  it('refuses at once a server whose authority it does not know', async () => {
    const url = await secureUrl();
    await expect(warren(url).open()).rejects.toMatchObject({ name: 'ConnectionRefusedError', reason: 'tls' });
  });
});
