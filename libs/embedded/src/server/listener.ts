// The listening socket and everything behind it: accepts clients, carries out what the owner asks for, and ends
// without leaving anything open.
import type { Server, Socket } from 'node:net';
import { DiskJournal } from '../store/disk-journal.js';
import { restore } from '../store/restore.js';
import type { AccessChange } from '../model/journal.js';
import type { Policy, PolicyKind } from '../model/policy.js';
import type { VirtualHost } from '../model/virtual-host.js';
import { MovableClock } from '../model/movable-clock.js';
import { type RabbitMQVersion, VERSIONS } from '../model/version.js';
import { type AdminCommand, Administration } from './administration.js';
import { Alarms } from './alarms.js';
import { Connection } from './connection.js';
import type { FaultCommand, FaultResult } from './faults/fault-command.js';
import { Faults } from './faults/faults.js';
import { type BrokerLogger, ServerContext, type Limits } from './server-context.js';
import { inspect, type BrokerSnapshot } from './inspect.js';
import { asksForCertificate, type BrokerTls, ListeningSocket, reset } from './tls.js';
import { timeCommand, type TimeCommand, type TimeState } from './time.js';

/** How long clients get to answer connection.close before their sockets are cut, in milliseconds. */
const FAREWELL = 1000;

const startTimer = setTimeout;
const stopTimer = clearTimeout;

export interface ListenerOptions {
  readonly host: string;
  readonly port: number;
  readonly users: Readonly<Record<string, string>>;
  /** Whether they are there only until somebody adds others. */
  readonly defaultUsers: boolean;
  readonly vhosts: readonly string[];
  readonly limits: Limits;
  readonly tls?: BrokerTls | undefined;
  readonly version: RabbitMQVersion;
  readonly logger: BrokerLogger;
  /** Folder for durable state; undefined: everything stays in memory. */
  readonly data: string | undefined;
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
  | TimeCommand
  | FaultCommand;

/** What it answers with. */
export type Result = BrokerSnapshot | TimeState | FaultResult | undefined;

export class Listener {
  readonly administration: Administration;
  private readonly context: ServerContext;
  private readonly connections = new Set<Connection>();
  private readonly listening: ListeningSocket;
  private readonly server: Server;
  private serial = 0;
  private readonly alarms: Alarms;
  private readonly faults: Faults;
  /** Its owner has stopped the clock, which others may share. */
  private stoppedTime = false;
  private ending: Promise<void> | undefined;

  private constructor(private readonly options: ListenerOptions) {
    const { limits, version, logger, data, clock = new MovableClock() } = options;
    const journal = data === undefined ? undefined : new DiskJournal(data, logger);
    this.context = new ServerContext(limits, VERSIONS[version], clock, logger, journal, (alarmed) => {
      this.alarms.set('memory', alarmed ? 'low on memory' : undefined);
    });
    this.alarms = new Alarms(this.context, this.connections);
    this.faults = new Faults(this.context, this.connections, this.alarms);
    this.administration = new Administration(this.context, this.connections);
    try {
      this.administration.addVhost('/');
      if (journal) this.restore(journal);
      for (const name of options.vhosts) this.administration.addVhost(name);
      this.addOwners();
      journal?.begin();
      // What has expired goes now, since only now it is written where it goes.
      if (journal) for (const vhost of this.context.vhosts.values()) vhost.restored();
      this.context.certificates = asksForCertificate(options.tls);
      this.listening = new ListeningSocket(
        options.tls,
        (socket) => this.accept(socket),
        (reason) => logger.warn(`a TLS handshake failed: ${reason}`),
      );
    } catch (error) {
      this.context.close();
      throw error;
    }
    this.server = this.listening.server;
  }

  /** Rejects when the address cannot be listened on, or with what `prepare` throws, which is called before anybody can connect. */
  static async start(
    options: ListenerOptions,
    prepare: (administration: Administration) => void = () => undefined,
  ): Promise<Listener> {
    const listener = new Listener(options);
    const { server, context } = listener;
    try {
      prepare(listener.administration);
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen({ host: options.host, port: options.port }, resolve);
      });
    } catch (error) {
      context.close();
      throw error;
    }
    server.removeAllListeners('error');
    server.on('error', (error) => options.logger.warn(`the listening socket failed: ${error.message}`));
    return listener;
  }

  get port(): number {
    const address = this.server.address();
    return typeof address === 'object' && address ? address.port : this.options.port;
  }

  /** Whether all users that its options name can log in; the folder may have others. */
  get knowsUsers(): boolean {
    const { access } = this.context;
    return Object.entries(this.options.users).every(([user, password]) =>
      access.authenticates(user, password),
    );
  }

  perform(command: Command): Result {
    switch (command.kind) {
      case 'inspect':
        return inspect(this.context, this.connections);
      case 'admin':
        this.administration.perform(command);
        break;
      case 'time':
        if (command.do === 'stop') this.stoppedTime ||= !this.context.clock.stopped;
        else if (command.do === 'start') this.stoppedTime = false;
        return timeCommand(command, this.context, this.connections);
      case 'fault':
        return this.faults.perform(command);
      case 'closeConnections':
        this.closeConnections(command.reason);
        break;
      case 'block':
        this.alarms.set('owner', command.reason);
        break;
      case 'unblock':
        this.alarms.set('owner', undefined);
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
    // A connection that is frozen could not be told.
    this.faults.clear();
    if (this.stoppedTime) this.context.clock.start();
    this.closeConnections("broker forced connection closure with reason 'shutdown'");
    const timer = startTimer(() => {
      for (const connection of [...this.connections]) connection.gone();
      this.listening.destroyAll();
    }, FAREWELL);
    await stopped;
    stopTimer(timer);
    this.context.close();
  }

  private restore(journal: DiskJournal): void {
    const vhost = (name: string): VirtualHost => {
      if (!this.context.vhosts.has(name)) this.administration.addVhost(name);
      return this.context.vhosts.get(name) as VirtualHost;
    };
    const into = {
      vhost,
      access: (change: AccessChange): void => this.administration.restore(change),
      policy: (name: string, kind: PolicyKind, policy: Policy): void => {
        vhost(name).policies.set(kind, policy);
      },
    };
    restore(journal, into, this.options.logger);
  }

  /** Those that are named; the default one only when there is none yet, since it may have been deleted. */
  private addOwners(): void {
    const { users, defaultUsers } = this.options;
    if (defaultUsers && [...this.context.access.users()].length > 0) return;
    for (const [name, password] of Object.entries(users)) this.administration.addOwner(name, password);
  }

  private accept(socket: Socket): void {
    // The other side may be gone before the first look at it; without a listener that would be a crash.
    socket.on('error', () => socket.destroy());
    if (this.ending || this.faults.refuses) {
      reset(socket);
      return;
    }
    const connection = new Connection((this.serial += 1), socket, this.context, (gone) => {
      this.connections.delete(gone);
    });
    this.connections.add(connection);
  }

  private closeConnections(reason: string): void {
    this.administration.disconnect(() => true, reason);
  }
}
