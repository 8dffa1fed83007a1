// A pipe before the broker, one for each system: it counts bytes, resets connections, refuses them, or goes silent
// while its sockets stay open.
import { connect, createServer } from 'node:net';
import { once } from 'node:events';
import { setTimeout } from 'node:timers';

export class Proxy {
  /** Bytes in both directions; a message that is delivered again and again shows as traffic at rest. */
  bytes = 0;
  /** While true, new connections are reset at once. */
  refusing = false;
  /** How much later everything arrives, in milliseconds. */
  delay = 0;
  #silent = false;
  #server;
  #port;
  #pairs = new Set();

  /** Listens on a free port of loopback before the broker at `url`. */
  static async before(url) {
    const proxy = new Proxy();
    const { hostname, port } = new URL(url);
    proxy.#server = createServer((client) =>
      proxy.#accept(client, { host: hostname, port: Number(port || 5672) }),
    );
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    proxy.#port = proxy.#server.address().port;
    return proxy;
  }

  /** The same URL, by way of this. */
  through(url) {
    const changed = new URL(url);
    changed.host = `127.0.0.1:${this.#port}`;
    return changed.href;
  }

  /** Resets every connection. */
  cut() {
    for (const pair of [...this.#pairs]) pair.end();
  }

  /** Resets every connection in the middle of the next frame that a client sends. */
  cutInside() {
    for (const pair of this.#pairs) pair.cutting = true;
  }

  /** From now on nothing passes, and nobody is told. */
  silence() {
    this.#silent = true;
    for (const pair of this.#pairs) pair.deaf = true;
  }

  /** New connections work again; what went silent stays so, as a network that forgot its connections. */
  speak() {
    this.#silent = false;
  }

  async close() {
    this.refusing = true;
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client, target) {
    client.on('error', () => {});
    if (this.refusing) {
      client.resetAndDestroy();
      return;
    }
    const broker = connect(target);
    broker.on('error', () => {});
    // The delays of a network are not to be ours.
    for (const socket of [client, broker]) socket.setNoDelay();
    const pair = {
      client,
      cutting: false,
      deaf: this.#silent,
      end: () => {
        this.#pairs.delete(pair);
        for (const socket of [client, broker]) if (!socket.destroyed) socket.resetAndDestroy();
      },
    };
    this.#pairs.add(pair);
    for (const [from, to] of [
      [client, broker],
      [broker, client],
    ]) {
      from.on('data', (chunk) => this.#pass(chunk, from, to, pair));
      from.once('close', () => {
        if (!pair.deaf) pair.end();
      });
    }
  }

  #pass(chunk, from, to, pair) {
    this.bytes += chunk.length;
    if (pair.deaf || to.destroyed) return;
    if (pair.cutting && from === pair.client && chunk.length > 8) {
      to.write(chunk.subarray(0, chunk.length >> 1), () => pair.end());
      pair.deaf = true;
      return;
    }
    if (this.delay > 0) {
      setTimeout(() => to.destroyed || to.write(chunk), this.delay);
      return;
    }
    if (to.write(chunk)) return;
    from.pause();
    to.once('drain', () => from.resume());
  }
}
