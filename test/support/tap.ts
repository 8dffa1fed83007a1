// A way to a broker that a test has its hand on: it can be shut for a while, as if the broker were frozen, and cut
// for good, as if it were gone. The broker itself goes on for everybody else.
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** Two sockets, one to each side. */
interface Pair {
  readonly client: Socket;
  readonly broker: Socket;
}

/** What a client sent, and a way to send the broker more in its name. */
export type Listener = (bytes: Buffer, add: (bytes: Buffer) => void) => void;

export class Tap {
  /** The broker's URL by way of this tap. */
  readonly url: string;
  #pairs = new Set<Pair>();
  #limit = Infinity;
  #listener: Listener = () => undefined;
  #shut: 'both' | 'answers' | undefined;

  private constructor(
    private readonly server: Server,
    target: URL,
  ) {
    const { port } = server.address() as AddressInfo;
    const url = new URL(target);
    url.hostname = '127.0.0.1';
    url.port = String(port);
    this.url = url.href;
    server.on('connection', (client) => this.#join(client, target));
  }

  static async open(url: string): Promise<Tap> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Tap(server, new URL(url));
  }

  /** Nothing passes any more, and neither side is told; with `answers`, only what the broker says is held. */
  shut(what: 'both' | 'answers' = 'both'): void {
    this.#shut = what;
    for (const pair of this.#pairs) this.#hold(pair);
  }

  /** Holds the broker's answers as soon as so many bytes have come from one client. */
  shutAfter(bytes: number): void {
    this.#limit = bytes;
  }

  /** Told of everything that clients send from now on. */
  listen(listener: Listener): void {
    this.#listener = listener;
  }

  /** Everything passes again, what was held first. */
  open(): void {
    this.#shut = undefined;
    this.#limit = Infinity;
    for (const { client, broker } of this.#pairs) {
      // Held answers leave this direction as it was; piped twice, every byte would come twice.
      client.unpipe(broker).pipe(broker);
      broker.unpipe(client).pipe(client);
    }
  }

  /** All connections are reset; what comes after is let through. */
  reset(): void {
    this.#shut = undefined;
    this.#limit = Infinity;
    for (const { client, broker } of this.#pairs) {
      client.resetAndDestroy();
      broker.destroy();
    }
  }

  /** The broker is gone: connections are reset, new ones are refused. */
  cut(): void {
    this.server.close();
    this.reset();
  }

  /** The broker is there again, at the same address. */
  async back(): Promise<void> {
    const { port } = new URL(this.url);
    this.server.listen(Number(port), '127.0.0.1');
    await once(this.server, 'listening');
  }

  #join(client: Socket, target: URL): void {
    const broker = connect(Number(target.port || 5672), target.hostname);
    const pair: Pair = { client, broker };
    this.#pairs.add(pair);
    for (const [side, other] of [
      [client, broker],
      [broker, client],
    ] as const) {
      side.setNoDelay(true);
      side.on('error', () => undefined);
      side.on('close', () => {
        this.#pairs.delete(pair);
        other.destroy();
      });
      side.pipe(other);
    }
    if (this.#shut) this.#hold(pair);
    client.on('data', (bytes: Buffer) => {
      this.#listener(bytes, (more) => void broker.write(more));
      if (client.bytesRead > this.#limit && !this.#shut) this.shut('answers');
    });
  }

  #hold({ client, broker }: Pair): void {
    broker.unpipe(client);
    broker.pause();
    if (this.#shut !== 'both') return;
    client.unpipe(broker);
    client.pause();
  }
}
