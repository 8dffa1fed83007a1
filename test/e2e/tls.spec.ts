// amqps: servers that prove themselves, and those that do not; clients that must prove themselves too. TLS ends at a
// small proxy before the broker; RabbitMQ's own TLS, and users named by certificates, are in tls-node.spec.ts.

import { afterEach, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer, type Server, type TlsOptions } from 'node:tls';
import { onEachBroker } from '../support/brokers.js';
import { Collector, within } from '../support/events.js';
import { rejection, warren } from '../support/warren.js';

const file = (name: string): Buffer => readFileSync(join(import.meta.dirname, '../support/tls', name));
const [ca, key, cert] = [file('cert.pem'), file('key.pem'), file('client.pem')];

onEachBroker('TLS', (broker) => {
  const sockets = new Set<Socket>();
  let proxy: Server | undefined;
  afterEach(() => {
    for (const socket of sockets) socket.destroy();
    proxy?.close();
  });

  async function secureUrl(options: TlsOptions = {}): Promise<string> {
    const target = new URL(broker.url);
    const { hostname, port } = target;
    proxy = createServer({ key, cert: ca, ...options }, (secure) => {
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
    const { broker: client } = await warren(url, { tls: { ca } })
      .consume('secret', ({ payload }) => got.push(payload))
      .open();
    await client.send('secret', 'over TLS');
    expect(await got.take(1)).toEqual(['over TLS']);
  });

  it('connects with a certificate of its own where the server asks for one', async () => {
    const url = await secureUrl({ ca, requestCert: true, rejectUnauthorized: true });
    const { broker: client } = await warren(url, { tls: { ca, key, cert } }).open();
    expect(client.status().connections.map(({ state }) => state)).toEqual(['open']);
  });

  const asks = { ca, requestCert: true, rejectUnauthorized: true };
  it.each<[string, TlsOptions, object, RegExp]>([
    ['is of an authority nobody told us about', {}, {}, /self-signed certificate/],
    ['is of another authority', {}, { ca: file('stranger.pem') }, /self-signed|unable to (get|verify)/],
    ['has expired', { cert: file('expired.pem') }, { ca }, /expired/],
    ['is for another host', { cert: file('other-host.pem') }, { ca }, /altnames/],
    ['asks for a certificate and gets none', asks, { ca }, /certificate required|handshake failure/],
    [
      'asks for one in TLS 1.2 and gets none',
      { ...asks, maxVersion: 'TLSv1.2' },
      { ca },
      /tls|ssl|handshake/i,
    ],
  ])('refuses at once, with the reason tls, a server that %s', async (_, server, tls, text) => {
    const url = await secureUrl(server);
    const error = await within(rejection(warren(url, { tls }).open()), 'the refusal');
    expect(error).toMatchObject({ name: 'ConnectionRefusedError', reason: 'tls' });
    expect(error.message).toMatch(text);
    expect(error.message).not.toContain(new URL(broker.url).password || '\0');
  });

  it('says what is wrong when TLS is spoken to a port without it', async () => {
    const url = new URL(broker.url);
    url.protocol = 'amqps:';
    const error = await within(rejection(warren(url.href, { tls: { ca } }).open()), 'the refusal');
    expect(error).toMatchObject({ name: 'ConnectionRefusedError', reason: 'tls' });
  });
});
