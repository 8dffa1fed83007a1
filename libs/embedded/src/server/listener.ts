// The listening socket and everything behind it: accepts clients, carries out what the owner asks for, and ends
// without leaving anything open.
import { createServer, type Server, type Socket } from 'node:net';
import { MovableClock } from '../model/movable-clock.js';
import { type RabbitMQVersion, VERSIONS } from '../model/version.js';
import { type AdminCommand, Administration } from './administration.js';
import { Connection } from './connection.js';
import { type BrokerLogger, House, type Limits } from './house.js';
import { inspect, type BrokerSnapshot } from './inspect.js';
import { timeCommand, type TimeCommand, type TimeState } from './time.js';

/** How long clients get to answer connection.close before their sockets are cut, in milliseconds. */
const FAREWELL = 1000;

const startTimer = setTimeout;
const stopTimer = clearTimeout;

export interface ListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly users: Readonly<Record<string, string>>;
  readonly vhosts: readonly string[];
  readonly limits: Limits;
  readonly version: RabbitMQVersion;
  readonly logger: BrokerLogger;
  /** Not in a worker, which has its own. */
  readonly clock?: MovableClock | undefined;
}

/** What the owner of a broker can ask it to do. */
export type Command =
  | AdminCommand
  | { readonly kind: 'inspect' }
  | { readonly kind: 'closeConnections'; readonly reason: string }
  | { readonly kind: 'block'; readonly reason: string }
  | { readonly kind: 'unblock' }
  | TimeCommand;

/** What it answers with. */
export type Result = BrokerSnapshot | TimeState | undefined;

export class Listener {
  readonly administration: Administration;
  private readonly house: House;
  private readonly connections = new Set<Connection>();
  private readonly server: Server;
  private serial = 0;
  private memoryAlarm = false;
  private ownAlarm: string | undefined;
  private ending: Promise<void> | undefined;

  private constructor(private readonly options: ListenerOptions) {
    const { limits, version, logger, clock = new MovableClock() } = options;
    this.house = new House(limits, VERSIONS[version], clock, logger, (alarmed) => {
      this.memoryAlarm = alarmed;
      this.alarm();
    });
    this.administration = new Administration(this.house, this.connections);
    for (const name of ['/', ...options.vhosts]) this.administration.addVhost(name);
    for (const [name, password] of Object.entries(options.users))
      this.administration.addOwner(name, password);
    this.server = createServer((socket) => this.accept(socket));
  }

  /** Rejects when the address cannot be listened on. */
  static start(options: ListenerOptions): Promise<Listener> {
    const listener = new Listener(options);
    const { server } = listener;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: options.host, port: options.port }, () => {
        server.off('error', reject);
        server.on('error', (error) => options.logger.warn(`the listening socket failed: ${error.message}`));
        resolve(listener);
      });
    });
  }

  get port(): number {
    const address = this.server.address();
    return typeof address === 'object' && address ? address.port : this.options.port;
  }

  perform(command: Command): Result {
    switch (command.kind) {
      case 'inspect':
        return inspect(this.house, this.connections);
      case 'admin':
        this.administration.perform(command);
        break;
      case 'time':
        return timeCommand(command, this.house, this.connections);
      case 'closeConnections':
        this.closeConnections(command.reason);
        break;
      case 'block':
        this.ownAlarm = command.reason;
        this.alarm();
        break;
      case 'unblock':
        this.ownAlarm = undefined;
        this.alarm();
    }
    return undefined;
  }

  /** Settles always, also when clients do not answer. */
  close(): Promise<void> {
    this.ending ??= this.end();
    return this.ending;
  }

  private async end(): Promise<void> {
    const stopped = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.closeConnections("broker forced connection closure with reason 'shutdown'");
    const timer = startTimer(() => {
      for (const connection of [...this.connections]) connection.gone();
    }, FAREWELL);
    await stopped;
    stopTimer(timer);
    this.house.close();
  }

  private accept(socket: Socket): void {
    // The other side may be gone before the first look at it; without a listener that would be a crash.
    socket.on('error', () => socket.destroy());
    if (this.ending) {
      socket.destroy();
      return;
    }
    const connection = new Connection((this.serial += 1), socket, this.house, (gone) => {
      this.connections.delete(gone);
    });
    this.connections.add(connection);
  }

  private closeConnections(reason: string): void {
    this.administration.disconnect(() => true, reason);
  }

  private alarm(): void {
    const before = this.house.alarm;
    this.house.alarm = this.ownAlarm ?? (this.memoryAlarm ? 'low on memory' : undefined);
    if (before === this.house.alarm) return;
    if (this.house.alarm !== undefined) {
      this.options.logger.warn(`publishers are blocked: ${this.house.alarm}`);
      return;
    }
    this.options.logger.log('publishers may go on');
    for (const connection of this.connections) connection.unblock();
  }
}
