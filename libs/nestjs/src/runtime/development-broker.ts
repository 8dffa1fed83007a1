// The option `development`: an embedded broker of this process for connections that name no other. It listens at
// RabbitMQ's port, so that a second application and the command `warren` find it; what listens there already is used as it is.

import { connect } from 'node:net';
import { type Broker, type BrokerLogger, ConfigError, type UrlOption } from '@warren/amqp';
import type * as embedded from '@warren/embedded';
import type { DevelopmentOption, EmbeddedInDevelopment } from '../module-options.js';

type Library = Pick<typeof embedded, 'EmbeddedBroker'>;
type EmbeddedBroker = embedded.EmbeddedBroker;

const PORT = 5672;
/** Nothing on this machine needs longer to accept a socket, in ms. */
const PROBE_TIMEOUT = 2_000;

/** A port of this machine with the connections of this process that use it. Their brokers would take it from each other. */
class Place {
  readonly users = new Set<DevelopmentBroker>();
  broker: EmbeddedBroker | undefined;
  private taking: Promise<void> | undefined;

  constructor(private readonly port: number) {}

  /** Starts a broker unless one answers, of this process or of another one. */
  take(start: () => Promise<EmbeddedBroker>): Promise<void> {
    this.taking ??= this.tryTo(start).finally(() => (this.taking = undefined));
    return this.taking;
  }

  async leave(user: DevelopmentBroker): Promise<void> {
    this.users.delete(user);
    await this.taking?.catch(() => undefined);
    if (this.users.size > 0) return;
    const { broker } = this;
    this.broker = undefined;
    await broker?.close();
  }

  private async tryTo(start: () => Promise<EmbeddedBroker>): Promise<void> {
    if (this.broker || (await answers(this.port))) return;
    try {
      this.broker = await start();
    } catch (error) {
      const isTaken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      // Another application was quicker, unless it is the port of the management API that is taken.
      if (!isTaken || !(await answers(this.port))) throw error;
    }
  }
}

/** By port. */
const places = new Map<number, Place>();

const ofBrokers = new WeakMap<Broker, DevelopmentBroker>();

/** The development broker of one connection. */
export class DevelopmentBroker {
  private said: string | undefined;
  private closing: Promise<void> | undefined;

  private constructor(
    private readonly library: Library,
    private readonly options: EmbeddedInDevelopment & { readonly port: number },
    private readonly place: Place,
    private readonly logger: BrokerLogger,
  ) {
    place.users.add(this);
  }

  /** Starts nothing yet. @throws ConfigError in production, without @warren/embedded, and for options that make no sense */
  static async prepare(given: DevelopmentOption, logger: BrokerLogger): Promise<DevelopmentBroker> {
    const options = checked(given);
    if (process.env.NODE_ENV === 'production') {
      throw new ConfigError(
        "'development' starts no broker when NODE_ENV is production",
        'set RABBITMQ_URL, or url in the options',
      );
    }
    const { port = PORT } = options;
    const library = await load();
    const place = places.get(port) ?? new Place(port);
    places.set(port, place);
    return new DevelopmentBroker(library, { ...options, port }, place, logger);
  }

  /** The option `url` of the connection. Asked for each connect: another application may have ended its broker since. */
  readonly url = async (): Promise<string> => {
    const { EmbeddedBroker } = this.library;
    if (!this.closing) await this.place.take(() => EmbeddedBroker.start(this.options));
    const { broker } = this.place;
    const url = broker?.url ?? `amqp://guest:guest@localhost:${this.options.port}`;
    const what = broker ? 'started the embedded broker' : 'uses the broker that was there';
    this.say(`no url and no RABBITMQ_URL: ${what}, ${url}`);
    return url;
  };

  /** Ends the broker when no other connection of this process uses it. */
  close(): Promise<void> {
    this.closing ??= this.place.leave(this);
    return this.closing;
  }

  /** Ends it when the connections of this broker object are closed. */
  endWith(broker: Broker): Broker {
    ofBrokers.set(broker, this);
    broker.on(() => void this.close(), ['closed']);
    return broker;
  }

  private say(line: string): void {
    if (this.said !== line) this.logger.log(line, { event: 'development-broker' });
    this.said = line;
  }
}

/** Whether the option starts a broker: not when a URL says where there is one. */
export function isForDevelopment(url: UrlOption | undefined): boolean {
  return url === undefined && !process.env.RABBITMQ_URL;
}

/** Resolves when the development broker of this broker object, if it has one, is closed. */
export async function developmentBrokerClosed(broker: Broker): Promise<void> {
  await ofBrokers.get(broker)?.close();
}

async function load(): Promise<Library> {
  const name = '@warren/embedded';
  try {
    return (await import(name)) as Library;
  } catch (error) {
    throw new ConfigError(
      "'development' needs @warren/embedded, which cannot be loaded",
      'npm install --save-dev @warren/embedded, or set RABBITMQ_URL',
      error,
    );
  }
}

function checked(given: DevelopmentOption): EmbeddedInDevelopment {
  const options: unknown = given === 'embedded' ? {} : (given as { embedded?: unknown } | null)?.embedded;
  const hint = "write development: 'embedded', or { embedded: { port, data, management } }";
  if (typeof options !== 'object' || options === null) {
    throw new ConfigError(`'development' is ${JSON.stringify(given)}`, hint);
  }
  const unknown = Object.keys(options).find((key) => !['port', 'data', 'management'].includes(key));
  if (unknown !== undefined) throw new ConfigError(`'development' has an unknown option '${unknown}'`, hint);
  const { port } = options as EmbeddedInDevelopment;
  if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_536)) {
    throw new ConfigError(`the port of 'development' is ${JSON.stringify(port)}`, 'give one from 1 to 65535');
  }
  return options;
}

/** Whether something accepts connections there. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: 'localhost', timeout: PROBE_TIMEOUT });
    const end = (is: boolean) => (): void => {
      socket.destroy();
      resolve(is);
    };
    socket.once('connect', end(true)).once('error', end(false)).once('timeout', end(false));
  });
}
