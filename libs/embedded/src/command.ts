// The command line of `warren-broker`: reads arguments, starts the broker, prints what it is and its URLs.
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { parseArgs } from 'node:util';
import { EmbeddedBroker, type EmbeddedBrokerOptions } from './embedded-broker.js';

export interface Output {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** Either a broker that runs until it is closed, or an exit code. */
export type Running =
  | { readonly kind: 'running'; readonly broker: EmbeddedBroker; readonly stay: boolean }
  | { readonly kind: 'ended'; readonly code: number };

const MANAGEMENT_PORT = 15_672;

const USAGE = `Usage: warren-broker [--port 5672] [--host address] [--user name:password]... [--vhost name]...
                     [--data folder] [--memory-limit bytes] [--version 3.10|4] [--management [port]]
                     [--definitions file] [--stay] [--tls-cert file --tls-key file [--tls-ca file]]

  --port          port to listen on, 0 for a free one (5672)
  --host          address to listen on (127.0.0.1: only this machine can connect)
  --user          name:password, may be repeated (guest:guest, from this machine only); other users of this machine see
                  it in the list of processes: WARREN_BROKER_USERS="name:password ..." in the environment says the same
  --vhost         a virtual host besides /, may be repeated
  --data          folder for durable queues and persistent messages, which survive a restart (none: all is in memory)
  --memory-limit  bytes held for clients from which on publishers are blocked (512 MiB)
  --version       RabbitMQ version to behave like, 3.10 or 4 (4)
  --management    the management HTTP API, on this port (15672), 0 for a free one
  --definitions   a file as exported by RabbitMQ: users, virtual hosts, permissions, queues, exchanges, bindings, policies
  --stay          goes on when its terminal is closed or what started it ends; else it ends too
  --tls-cert      TLS with this certificate (PEM), and --tls-key, its private key
  --tls-ca        clients need a certificate signed by this CA, and may log in with it (EXTERNAL)`;

/** Starts what the arguments say. Never rejects: what goes wrong is written to `err`, with exit code 1 or 2. */
export async function runCommand(
  args: readonly string[],
  output: Output,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<Running> {
  let parsed: (EmbeddedBrokerOptions & { readonly stay: boolean }) | undefined;
  try {
    parsed = parse(args, environment.WARREN_BROKER_USERS);
  } catch (error) {
    output.err(`warren-broker: ${message(error)}\n\n${USAGE}`);
    return { kind: 'ended', code: 2 };
  }
  if (!parsed) {
    output.out(USAGE);
    return { kind: 'ended', code: 0 };
  }
  const { stay, ...options } = parsed;
  try {
    const logger = { log: output.out, warn: output.err };
    const broker = await EmbeddedBroker.start({ ...options, logger });
    output.out(greeting(broker, options.host ?? '127.0.0.1', options.data));
    return { kind: 'running', broker, stay };
  } catch (error) {
    output.err(`warren-broker: cannot start: ${message(error)}`);
    return { kind: 'ended', code: 1 };
  }
}

/** Undefined when only help is wanted. Throws for arguments that make no sense. */
function parse(
  args: readonly string[],
  others = '',
): (EmbeddedBrokerOptions & { readonly stay: boolean }) | undefined {
  const { values } = parseArgs({
    args: withPort(args),
    options: {
      port: { type: 'string', default: '5672' },
      host: { type: 'string' },
      user: { type: 'string', multiple: true, default: [] },
      vhost: { type: 'string', multiple: true, default: [] },
      data: { type: 'string' },
      'memory-limit': { type: 'string' },
      version: { type: 'string' },
      management: { type: 'string' },
      definitions: { type: 'string' },
      'tls-cert': { type: 'string' },
      'tls-key': { type: 'string' },
      'tls-ca': { type: 'string' },
      stay: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return undefined;
  if (values.data === '') throw new Error('--data needs a folder');
  if (values.host === '') throw new Error('--host needs an address');
  const users = [...others.split(/\s+/).filter(Boolean), ...values.user].map(user);
  const memory = values['memory-limit'];
  return {
    port: port(values.port),
    vhosts: values.vhost,
    stay: values.stay,
    ...(values.host !== undefined && { host: values.host }),
    ...(values.data !== undefined && { data: values.data }),
    ...(values.version !== undefined && { version: version(values.version) }),
    ...(values.management !== undefined && { management: whole('--management', values.management, 65_535) }),
    ...(values.definitions !== undefined && { definitions: values.definitions }),
    ...tls(values['tls-cert'], values['tls-key'], values['tls-ca']),
    ...(users.length > 0 && { users: Object.fromEntries(users) }),
    ...(memory !== undefined && { memoryLimit: whole('--memory-limit', memory, Number.MAX_SAFE_INTEGER) }),
  };
}

function tls(cert?: string, key?: string, ca?: string): Pick<EmbeddedBrokerOptions, 'tls'> {
  if (cert === undefined && key === undefined && ca === undefined) return {};
  if (cert === undefined || key === undefined) throw new Error('TLS needs --tls-cert and --tls-key');
  const files = { cert: readFileSync(cert), key: readFileSync(key) };
  return { tls: ca === undefined ? files : { ...files, ca: readFileSync(ca) } };
}

/** `--management` may stand alone. */
function withPort(args: readonly string[]): string[] {
  return args.flatMap((arg, at) =>
    arg === '--management' && !/^[0-9]+$/.test(args[at + 1] ?? '')
      ? [`--management=${MANAGEMENT_PORT}`]
      : [arg],
  );
}

function port(text: string): number {
  const address = text.slice(0, Math.max(text.lastIndexOf(':'), 0));
  if (address !== '') {
    throw new Error(
      `refuses to listen on ${address}: --port takes a port only. To accept connections from other machines, use --host`,
    );
  }
  return whole('--port', text, 65_535);
}

function whole(name: string, text: string, most: number): number {
  if (/^[0-9]+$/.test(text) && Number(text) <= most) return Number(text);
  throw new Error(`${name} must be an integer between 0 and ${most}`);
}

function version(text: string): '3.10' | '4' {
  if (text === '3.10' || text === '4') return text;
  throw new Error('--version must be 3.10 or 4');
}

function user(text: string): readonly [string, string] {
  const colon = text.indexOf(':');
  if (colon < 1) throw new Error('--user and WARREN_BROKER_USERS must be name:password');
  return [text.slice(0, colon), text.slice(colon + 1)];
}

function greeting(broker: EmbeddedBroker, host: string, data: string | undefined): string {
  const lines = [
    'Warren embedded broker: for development, demos and tests.',
    data === undefined
      ? 'It keeps nothing on disk. Queues and messages, durable and persistent ones too, are gone when it stops.'
      : `Durable queues and persistent messages are kept in ${data}.`,
    `Listening on ${shown(broker.url)}`,
  ];
  if (broker.managementUrl !== undefined) lines.push(`Management API at ${shown(broker.managementUrl)}`);
  if (!isLoopback(host)) {
    lines.push(
      `Other machines can connect (--host ${host}); ${broker.url.startsWith('amqps:') ? 'AMQP is encrypted' : 'nothing is encrypted'}, and guest is refused from there.`,
    );
  }
  return lines.join('\n');
}

/** The URL with the password, if it is the well-known one; somebody's own password is not written to a terminal. */
function shown(url: string): string {
  return url.includes('//guest:guest@') ? url : url.replace(/:[^:@/]*@/, ':***@');
}

function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith('127.');
  return host === 'localhost' || host === '::1';
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
