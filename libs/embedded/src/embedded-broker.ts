// The public API of the embedded broker. Its listener runs in this thread or in a worker.
import { BrokerPolicies } from './broker-policies.js';
import { BrokerUsers } from './broker-users.js';
import { BrokerClock } from './broker-clock.js';
import { BrokerFaults } from './broker-faults.js';
import { LocalHost, WorkerHost, type Host } from './host.js';
import { definitionsFrom, hasUsers } from './running.js';
import type { AdminCommand } from './server/administration.js';
import type { ExportedDefinitions } from './server/definitions-export.js';
import type { BrokerLogger, Limits } from './server/server-context.js';
import type { BrokerSnapshot } from './server/inspect.js';
import type { FaultResult } from './server/faults/fault-command.js';
import type { BrokerTls } from './server/tls.js';
import type { TimeState } from './server/time.js';
import type { MovableClock } from './model/movable-clock.js';
import { type RabbitMQVersion, VERSIONS } from './model/version.js';

/** How to start an embedded broker. Everything has a default. */
export interface EmbeddedBrokerOptions {
  /** RabbitMQ version to behave like: `'3.10'`, or `'4'`, which is 4.3. Default `'4'`. */
  readonly version?: RabbitMQVersion;
  /** Address to listen on. Default `127.0.0.1`. With any other, other machines can connect, but never as `guest`. */
  readonly host?: string;
  /** Port to listen on. Default 0: any free port. */
  readonly port?: number;
  /** User names and passwords. Default `{ guest: 'guest' }`. */
  readonly users?: Readonly<Record<string, string>>;
  /** Virtual hosts in addition to `/`, which always exists. Default: none. */
  readonly vhosts?: readonly string[];
  /** Largest message body in bytes. Default 16 MiB, or 128 MiB as version 3.10, like RabbitMQ. */
  readonly maxMessageSize?: number;
  /** Largest frame in bytes; at least 8192, or 4096 as version 3.10. Default 131072, like RabbitMQ. */
  readonly frameMax?: number;
  /**
   * Memory in bytes from which on publishers are blocked. It is an estimate of all messages with their properties, all
   * declarations, and what a client does not read beyond 4 MiB; declarations are refused beyond it. Incomplete messages
   * may use half of it. Default 512 MiB.
   */
  readonly memoryLimit?: number;
  /** TLS options: `{ key, cert, ca, requestCert, rejectUnauthorized }`. Default: plain TCP. */
  readonly tls?: BrokerTls;
  /** Heartbeat proposed to clients, in seconds; 0 proposes none. Default 60. */
  readonly heartbeat?: number;
  /** The management HTTP API: a port, or `true` for any free port. It uses the address of the broker. Default: off. */
  readonly management?: boolean | number;
  /**
   * Definitions to load at the start (users, virtual hosts, permissions, queues, exchanges, bindings, policies), as
   * RabbitMQ exports them: a file path, or the content. If they contain users, there is no `guest`. Default: none.
   */
  readonly definitions?: string | object;
  /** Run in a worker thread, so that a busy application does not stall its own broker. Default false. */
  readonly worker?: boolean;
  /** A clock to share with other parts of the process; not with `worker`. Default: its own clock. */
  readonly clock?: MovableClock;
  /** Folder for durable queues and persistent messages, which survive a restart. Default: none, all is in memory. */
  readonly data?: string;
  /** Where warnings go (refused logins, blocked publishers). Default: nowhere. */
  readonly logger?: BrokerLogger;
}

const SILENT: BrokerLogger = { log: () => undefined, warn: () => undefined };
const MIB = 1024 * 1024;

/**
 * An AMQP 0-9-1 broker in this process. It keeps everything in memory until `close()`; with the option `data`, durable
 * queues and persistent messages survive a restart.
 */
export class EmbeddedBroker {
  /** Users and permissions. */
  readonly users: BrokerUsers;
  /** Policies. */
  readonly policies: BrokerPolicies;
  /** The broker's clock, which a test can move. */
  readonly clock: BrokerClock;
  /** Injects faults, for tests. */
  readonly faults: BrokerFaults;
  private ending: Promise<void> | undefined;

  // Hard private: printing this object must not print passwords.
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
    this.users = new BrokerUsers(perform, (name, password) => {
      if (password === undefined) users.delete(name);
      else users.set(name, password);
    });
    this.policies = new BrokerPolicies(perform);
    this.clock = new BrokerClock(async (command) => (await host.perform(command)) as TimeState);
    this.faults = new BrokerFaults(async (command) => (await host.perform(command)) as FaultResult);
  }

  /**
   * Starts a broker. Resolves when it accepts connections. Rejects with a RangeError for an invalid option, and with the
   * error of the socket when the port is in use.
   */
  static async start(options: EmbeddedBrokerOptions = {}): Promise<EmbeddedBroker> {
    const { host = '127.0.0.1', port = 0, vhosts = [] } = options;
    const definitions = options.definitions && (await definitionsFrom(options.definitions));
    const { users = definitions && hasUsers(definitions) ? {} : { guest: 'guest' } } = options;
    const { logger = SILENT, worker = false, clock, data } = options;
    if (worker && clock)
      throw new RangeError('clock cannot be combined with worker: remove one of the two options');
    inRange('port', port, 0, 65_535);
    const version = versionOf(options);
    const settings = {
      host,
      port,
      users,
      defaultUsers: options.users === undefined,
      vhosts,
      version,
      data,
      limits: limits(options, version),
      tls: options.tls,
      management: managementPort(options),
      definitions: definitions || undefined,
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
