// A pipe before the broker that counts bytes: a message that is delivered again and again shows as traffic at rest.
import { connect, createServer } from 'node:net';
import { once } from 'node:events';

export class Meter {
  bytes = 0;
  #server;
  #sockets = new Set();

  /** Listens on a free port of loopback before the broker at `url`. */
  static async before(url) {
    const meter = new Meter();
    const { hostname, port } = new URL(url);
    meter.#server = createServer((client) => meter.#join(client, Number(port || 5672), hostname));
    meter.#server.listen(0, '127.0.0.1');
    await once(meter.#server, 'listening');
    meter.port = meter.#server.address().port;
    return meter;
  }

  async close() {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client, port, host) {
    const broker = connect({ port, host });
    for (const [from, to] of [
      [client, broker],
      [broker, client],
    ]) {
      this.#sockets.add(from);
      from.on('error', () => {});
      from.on('data', (chunk) => (this.bytes += chunk.length));
      from.pipe(to);
      from.once('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}
