// A way to a broker on which what the broker says can be held back: what clients send arrives, and they hear nothing of it.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** Opens one; `url` leads through it. @param {string} url */
export async function openHold(url) {
  const to = new URL(url);
  let holding = false;
  /** @type {Set<{ client: import('node:net').Socket, broker: import('node:net').Socket }>} */
  const pairs = new Set();
  const server = createServer({ noDelay: true }, (client) => {
    const broker = connect({ host: to.hostname, port: Number(to.port), noDelay: true });
    const pair = { client, broker };
    pairs.add(pair);
    client.pipe(broker);
    broker.on('data', (bytes) => client.write(bytes));
    if (holding) broker.pause();
    for (const socket of [client, broker]) {
      socket.on('error', () => {});
      socket.on('close', () => {
        client.destroy();
        broker.destroy();
        pairs.delete(pair);
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const through = new URL(url);
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  through.hostname = address.address;
  through.port = String(address.port);
  return {
    url: through.href,
    hold() {
      holding = true;
      for (const { broker } of pairs) broker.pause();
    },
    release() {
      holding = false;
      for (const { broker } of pairs) broker.resume();
    },
    close() {
      for (const { client, broker } of pairs) {
        client.destroy();
        broker.destroy();
      }
      server.close();
    },
  };
}
