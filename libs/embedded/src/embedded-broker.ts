// The face of the broker: options in, URL out. Behind it is a listener in this thread or one in a worker.
import { BrokerPolicies } from './broker-policies.js';
import { BrokerUsers } from './broker-users.js';
import { BrokerClock } from './broker-clock.js';
import { definitionsFrom, hasUsers } from './definitions-source.js';
import { BrokerFaults } from './broker-faults.js';
import { LocalHost, WorkerHost, type Host } from './host.js';
import type { AdminCommand } from './server/administration.js';
import type { ExportedDefinitions } from './server/definitions-export.js';
import type { BrokerLogger, Limits } from './server/house.js';
import type { BrokerSnapshot } from './server/inspect.js';
import type { FaultResult } from './server/faults/fault-command.js';
import type { BrokerTls } from './server/tls.js';
import type { TimeState } from './server/time.js';
import type { MovableClock } from './model/movable-clock.js';
import { type RabbitMQVersion, VERSIONS } from './model/version.js';

/** How to start an embedded broker. Everything has a default. */
export interface EmbeddedBrokerOptions {
  /** Which RabbitMQ it imitates: `'3.10'`, or `'4'`, which is 4.3. Default `'4'`. */
  readonly version?: RabbitMQVersion;
  /** Address to listen on. Default `127.0.0.1`; anything else lets other machines in, though never as `guest`. */
  readonly host?: string;
  /** Port to listen on. Default 0: a free one. */
  readonly port?: number;
  /** Names and passwords. Default `{ guest: 'guest' }`. */
  readonly users?: Readonly<Record<string, string>>;
  /** Virtual hosts besides `/`, which is always there. */
  readonly vhosts?: readonly string[];
  /** Largest message body in bytes. Default 16 MiB, as version 3.10 128 MiB, like RabbitMQ. */
  readonly maxMessageSize?: number;
  /** Largest frame in bytes, at least 8192, as version 3.10 4096. Default 131072, like RabbitMQ. */
  readonly frameMax?: number;
  /**
   * Bytes of what clients make it hold, roughly counted, from which publishers are blocked: messages with their properties,
   * and everything that is declared, of which alone it takes no more. Incomplete messages may take half. Default 512 MiB.
   */
  readonly memoryLimit?: number;
  /** TLS on its port: `{ key, cert, ca, requestCert, rejectUnauthorized }`. Default: plain TCP. */
  readonly tls?: BrokerTls;
  /** Heartbeat proposed to clients, in seconds; 0 proposes none. Default 60. */
  readonly heartbeat?: number;
  /** The management HTTP API: `true` for a free port, or a port. It listens where the broker does. Default: off. */
  readonly management?: boolean | number;
  /**
   * Users, virtual hosts, permissions, queues, exchanges, bindings and policies to begin with, as RabbitMQ exports them:
   * the path of a file, or its content. With users in it there is no `guest` by default. Default: none.
   */
  readonly definitions?: string | object;
  /** Run in a worker thread, so that a busy application does not stall its own broker. Default false. */
  readonly worker?: boolean;
  /** A clock that other parts of the process go by as well; not with `worker`. Default: its own. */
  readonly clock?: MovableClock;
  /** Folder in which durable queues and persistent messages outlast the broker. Default: none, all is in memory. */
  readonly data?: string;
  /** Where warnings go (refused logins, blocked publishers). Default: nowhere. */
  readonly logger?: BrokerLogger;
}

const SILENT: BrokerLogger = { log: () => undefined, warn: () => undefined };
const MIB = 1024 * 1024;

/**
 * A broker that this process started: a real AMQP 0-9-1 server which keeps everything in memory until `close()`, and what is durable
 * in a folder if it has one.
 */
export class EmbeddedBroker {
  /** Its users and what they may do. */
  readonly users: BrokerUsers;
  /** Its policies. */
  readonly policies: BrokerPolicies;
  /** Its time, which a test can move. */
  readonly clock: BrokerClock;
  /** What goes wrong, when a test wants it. */
  readonly faults: BrokerFaults;
  private ending: Promise<void> | undefined;

  // Hard private: whoever prints this must not print passwords.
  readonly #host: Host;
  readonly #users: Map<string, string>;
  readonly #address: string;
  readonly #scheme: string;

  private constructor(host: Host, users: Map<string, string>, address: string, scheme: string) {
    this.#host = host;
    this.#users = users;
    this.#address = address;
    this.#scheme = scheme;
    const perform = (command: AdminCommand): Promise<unknown> => host.perform(command);
    this.users = new BrokerUsers(perform, (name, password) => users.set(name, password));
    this.policies = new BrokerPolicies(perform);
    this.clock = new BrokerClock(async (command) => (await host.perform(command)) as TimeState);
    this.faults = new BrokerFaults(async (command) => (await host.perform(command)) as FaultResult);
  }

  /**
   * Starts a broker. Resolves when it accepts connections.
   * Rejects with a RangeError for an option out of range or a version that is not there, and with the socket's error when the port is taken.
   */
  static async start(options: EmbeddedBrokerOptions = {}): Promise<EmbeddedBroker> {
    const { host = '127.0.0.1', port = 0, vhosts = [] } = options;
    const definitions = options.definitions && (await definitionsFrom(options.definitions));
    const { users = definitions && hasUsers(definitions) ? {} : { guest: 'guest' } } = options;
    const { logger = SILENT, worker = false, clock, data } = options;
    if (worker && clock)
      throw new RangeError('clock cannot be shared with a worker: leave out one of the two');
    const version = versionOf(options);
    const settings = {
      ...{
        host,
        port,
        users,
        defaultUsers: options.users === undefined,
        vhosts,
        version,
        data,
        limits: limits(options, version),
        tls: options.tls,
      },
      ...{ management: managementPort(options), definitions: definitions || undefined },
    };
    const running = await (worker
      ? WorkerHost.start(settings, logger)
      : LocalHost.start({ ...settings, logger, clock }));
    const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
    return new EmbeddedBroker(
      running,
      new Map(running.knowsUsers ? Object.entries(users) : []),
      reachable,
      options.tls ? 'amqps' : 'amqp',
    );
  }

  /** The port it listens on. */
  get port(): number {
    return this.#host.port;
  }

  /** What to connect to, with the first user's name and password: `amqp://guest:guest@127.0.0.1:PORT`, with `tls` `amqps:`. */
  get url(): string {
    return this.address(this.#scheme, this.port);
  }

  /** Where the management API is, with the first user's name and password; undefined when it is off. */
  get managementUrl(): string | undefined {
    const port = this.#host.managementPort;
    return port === undefined ? undefined : this.address('http', port);
  }

  /** Adds a virtual host; one that is there already stays as it is. */
  async addVhost(name: string): Promise<void> {
    await this.#host.perform({ kind: 'admin', method: 'addVhost', args: [name] });
  }

  /** Removes a virtual host with all that is in it; its connections are closed with 320. Rejects when there is none. */
  async deleteVhost(name: string): Promise<void> {
    await this.#host.perform({ kind: 'admin', method: 'deleteVhost', args: [name] });
  }

  /** Declares what definitions say, as RabbitMQ exports them: the path of a file, or its content. Rejects with the place that is wrong. */
  async importDefinitions(definitions: string | object): Promise<void> {
    await this.#host.perform({ kind: 'importDefinitions', file: await definitionsFrom(definitions) });
  }

  /** Everything that is declared, with users and their password hashes, in the form that RabbitMQ imports. */
  async exportDefinitions(): Promise<ExportedDefinitions> {
    return (await this.#host.perform({ kind: 'exportDefinitions' })) as ExportedDefinitions;
  }

  /** Queues with their counts and consumers, exchanges with their bindings, connections; as plain data. */
  async inspect(): Promise<BrokerSnapshot> {
    return (await this.#host.perform({ kind: 'inspect' })) as BrokerSnapshot;
  }

  /** Closes every client's connection with 320, as an operator would; the broker goes on. */
  async closeConnections(reason = 'closed by the operator'): Promise<void> {
    await this.#host.perform({ kind: 'closeConnections', reason });
  }

  /** Blocks publishers (`connection.blocked`) until `unblock`. */
  async block(reason = 'blocked by the operator'): Promise<void> {
    await this.#host.perform({ kind: 'block', reason });
  }

  /** Lets publishers go on, unless the memory limit still holds them. */
  async unblock(): Promise<void> {
    await this.#host.perform({ kind: 'unblock' });
  }

  /** Closes all clients properly, then stops. May be called again; always settles, within about a second. */
  close(): Promise<void> {
    this.ending ??= this.#host.close();
    return this.ending;
  }

  /** Without credentials when nobody's password is known, because users come from definitions. */
  private address(protocol: string, port: number): string {
    const [first] = this.#users;
    const host = this.#address.includes(':') ? `[${this.#address}]` : this.#address;
    const login = first ? `${first.map(encodeURIComponent).join(':')}@` : '';
    return `${protocol}://${login}${host}:${port}`;
  }
}

function versionOf({ version = '4' }: EmbeddedBrokerOptions): RabbitMQVersion {
  if (Object.hasOwn(VERSIONS, version)) return version;
  const known = Object.keys(VERSIONS).map((each) => `'${each}'`);
  throw new RangeError(`version must be ${known.join(' or ')}, was '${String(version)}'`);
}

function managementPort({ management = false }: EmbeddedBrokerOptions): number | undefined {
  if (typeof management === 'number') {
    inRange('management', management, 0, 65_535);
    return management;
  }
  return management ? 0 : undefined;
}

function limits(options: EmbeddedBrokerOptions, version: RabbitMQVersion): Limits {
  const traits = VERSIONS[version];
  const { maxMessageSize = traits.maxMessageSize, frameMax = 131_072 } = options;
  const { memoryLimit = 512 * MIB, heartbeat = 60 } = options;
  inRange('maxMessageSize', maxMessageSize, 0, Number.MAX_SAFE_INTEGER);
  inRange('frameMax', frameMax, traits.minFrame, 0x7fff_ffff);
  inRange('heartbeat', heartbeat, 0, 0xffff);
  if (memoryLimit !== Infinity) inRange('memoryLimit', memoryLimit, 0, Number.MAX_SAFE_INTEGER);
  return { maxMessageSize, frameMax, memoryLimit, heartbeat, channelMax: 2047 };
}

function inRange(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new RangeError(`${name} must be an integer between ${least} and ${most}, but is ${value}`);
}
