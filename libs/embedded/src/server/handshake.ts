// From the first byte to an open connection: greeting, login (PLAIN, AMQPLAIN), tuning, virtual host. The
// result is one value; a client that fails is refused with RabbitMQ's codes.
import { AmqpFailure } from '../model/failure.js';
import type { VirtualHost } from '../model/virtual-host.js';
import { decodeTable, encodeTable, type Table } from '../wire/field-table.js';
import type { Args, Method, MethodName } from '../wire/methods.js';
import { toTable } from '../wire/plain.js';
import type { ServerContext } from './server-context.js';
import { Permitted } from './permitted.js';

const serverProperties = (version: string): Buffer =>
  encodeTable(
    toTable({
      product: 'Warren embedded broker',
      version,
      platform: `Node.js ${process.version}`,
      information: 'A small AMQP 0-9-1 broker for development, demos and tests. Keeps nothing on disk.',
      copyright: 'MIT licence',
      cluster_name: 'embedded',
      capabilities: {
        publisher_confirms: true,
        exchange_exchange_bindings: true,
        'basic.nack': true,
        consumer_cancel_notify: true,
        'connection.blocked': true,
        consumer_priorities: true,
        authentication_failure_close: true,
        per_consumer_qos: true,
        direct_reply_to: true,
      },
    }),
  );

/** The client at the other end of the socket, and what went through it. */
export interface Peer {
  readonly host: string;
  readonly port: number;
  readonly remote: string;
  readonly localHost: string;
  readonly localPort: number;
  readonly blocked: boolean;
  /** When it connected: wall clock in milliseconds. */
  readonly since: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly chunksRead: number;
}

/** What client and broker agreed on. */
export interface Session {
  readonly user: string;
  readonly vhost: VirtualHost;
  readonly permitted: Permitted;
  readonly mechanism: string;
  readonly clientProperties: Table;
  readonly frameMax: number;
  readonly channelMax: number;
  /** Seconds, 0 for none. */
  readonly heartbeat: number;
}

/** The login was refused and the client cannot be told why in AMQP: the socket just closes. */
export class SilentRefusal extends Error {}

type Reply = <N extends MethodName>(name: N, args: Args<N>) => void;

export class Handshake {
  private user = '';
  private mechanism = '';
  private properties: Table = new Map();
  private tuned: Args<'connection.tune-ok'> | undefined;

  constructor(
    private readonly context: ServerContext,
    /** Where the client is; `guest` may come from nowhere but this machine. */
    private readonly address: string | undefined,
    /** Who its certificate says it is. */
    private readonly certified: string | undefined,
    private readonly reply: Reply,
  ) {}

  private get mechanisms(): string {
    const { certificates, traits } = this.context;
    return certificates ? `${traits.mechanisms} EXTERNAL` : traits.mechanisms;
  }

  start(): void {
    this.reply('connection.start', {
      major: 0,
      minor: 9,
      properties: serverProperties(this.context.traits.number),
      mechanisms: Buffer.from(this.mechanisms),
      locales: Buffer.from('en_US'),
    });
  }

  /** One step; the session once everything is agreed. */
  step(method: Method): Session | undefined {
    if (method.name === 'connection.start-ok' && this.user === '') this.login(method.args);
    else if (method.name === 'connection.tune-ok' && this.user !== '' && !this.tuned) this.tune(method.args);
    else if (method.name === 'connection.open' && this.tuned) return this.open(method.args, this.tuned);
    else throw new AmqpFailure(503, `${method.name} is not expected here`);
    return undefined;
  }

  private login(args: Args<'connection.start-ok'>): void {
    this.properties = decodeTable(args.properties);
    const { mechanism } = args;
    const known = this.mechanisms.split(' ').includes(mechanism);
    if (!known) throw new AmqpFailure(503, `unknown authentication mechanism '${mechanism}'`);
    const name = mechanism === 'EXTERNAL' ? this.byCertificate() : this.byPassword(mechanism, args.response);
    if (name === undefined) {
      const text =
        `Login was refused using authentication mechanism ${mechanism}. ` +
        'For details see the broker logfile.';
      this.context.logger.warn(
        'a login was refused: unknown user, wrong password or certificate, or guest from another machine',
      );
      if (capable(this.properties, 'authentication_failure_close')) throw new AmqpFailure(403, text, true);
      throw new SilentRefusal(text);
    }
    this.user = name;
    this.mechanism = mechanism;
    const { channelMax, frameMax, heartbeat } = this.context.limits;
    this.reply('connection.tune', { channelMax, frameMax, heartbeat });
  }

  private byCertificate(): string | undefined {
    const { certified } = this;
    return certified !== undefined && this.context.access.user(certified) ? certified : undefined;
  }

  private byPassword(mechanism: string, response: Buffer): string | undefined {
    const login = credentials(mechanism, response);
    return login && this.known(login) ? login.name : undefined;
  }

  private known({ name, password }: Login): boolean {
    if (name === 'guest' && !isLoopback(this.address ?? '')) return false;
    return name !== '' && this.context.access.authenticates(name, password);
  }

  private tune(args: Args<'connection.tune-ok'>): void {
    const { channelMax, frameMax } = this.context.limits;
    within('channel_max', args.channelMax, 0, channelMax);
    within('frame_max', args.frameMax, this.context.traits.minFrame, frameMax);
    this.tuned = args;
  }

  private open({ vhost: name }: Args<'connection.open'>, tuned: Args<'connection.tune-ok'>): Session {
    const vhost = this.context.vhosts.get(name);
    if (!vhost) throw new AmqpFailure(530, `vhost ${name} not found`);
    const grants = this.context.access.grants(this.user, name);
    if (!grants.permissions) {
      throw new AmqpFailure(530, `access to vhost '${name}' refused for user '${this.user}'`);
    }
    const permitted = new Permitted(grants, this.context.traits);
    this.reply('connection.open-ok', { knownHosts: '' });
    const { user, mechanism, properties: clientProperties } = this;
    return { user, vhost, permitted, mechanism, clientProperties, ...tuned };
  }
}

function within(what: string, value: number, least: number, most: number): void {
  const shown = value === 0 ? '0 (no limit)' : String(value);
  if (value === 0 || value > most) {
    throw new AmqpFailure(
      530,
      `negotiated ${what} = ${shown} is higher than the maximum allowed value (${most})`,
    );
  }
  if (value < least) {
    throw new AmqpFailure(
      530,
      `negotiated ${what} = ${shown} is lower than the minimum allowed value (${least})`,
    );
  }
}

/** Whether a client said that it understands an extension. */
export function capable(properties: Table, name: string): boolean {
  const capabilities = properties.get('capabilities');
  return capabilities?.type === 'table' && capabilities.value.get(name)?.value === true;
}

interface Login {
  readonly name: string;
  readonly password: string;
}

function credentials(mechanism: string, response: Buffer): Login | undefined {
  if (mechanism === 'PLAIN') {
    const [, name, password, ...more] = response.toString('utf8').split('\0');
    return name !== undefined && password !== undefined && more.length === 0 ? { name, password } : undefined;
  }
  if (mechanism === 'AMQPLAIN') {
    const table = decodeTable(response);
    const name = table.get('LOGIN');
    const password = table.get('PASSWORD');
    if (name?.type !== 'longstr' || password?.type !== 'longstr') return undefined;
    return { name: name.value, password: password.value };
  }
  // ANONYMOUS is guest, from this machine.
  return { name: 'guest', password: 'guest' };
}

/** Whether a client is on this machine. */
export function isLoopback(address: string): boolean {
  return /^(127\.|::1$|::ffff:127\.)/.test(address);
}
