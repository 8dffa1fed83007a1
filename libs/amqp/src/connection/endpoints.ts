// URLs, credentials and TLS into what the client library connects with, and into a label that may be
// logged. A password must not get past this file.

import { credentials as amqpCredentials, type Options } from 'amqplib';
import { milliseconds } from '../options/duration.js';
import { ConfigError, ConnectionRefusedError } from '../errors/errors.js';
import { describeError, visible } from '../runtime/logger.js';
import { nearest } from '../options/option-checks.js';
import type { Credentials, CredentialsOption, TlsOptions, UrlOption } from '../options/connection-options.js';

/** One address to try. */
export interface Endpoint {
  /** `amqp://host:5672/vhost`: no user, no password. */
  readonly label: string;
  readonly vhost: string;
  /** Whom the broker takes us for; unknown when a certificate says it. */
  readonly user: string | undefined;
  readonly connect: Options.Connect;
  /** Options of the socket, TLS and credentials included. */
  readonly socket: Readonly<Record<string, unknown>>;
}

/** What endpoints are made from. */
export interface EndpointOptions {
  readonly url: UrlOption;
  readonly credentials: CredentialsOption | undefined;
  readonly tls: TlsOptions | undefined;
  readonly heartbeat: number;
}

/** The endpoints to try now. URL and credential functions are asked anew each time. @throws ConfigError */
export async function endpoints(options: EndpointOptions): Promise<readonly Endpoint[]> {
  const given = typeof options.url === 'function' ? await asked('url', options.url) : options.url;
  const urls: unknown = typeof given === 'string' ? [given] : given;
  if (!Array.isArray(urls) || urls.length === 0) {
    throw new ConfigError('url is neither a string nor an array with one', 'give at least one amqp:// URL');
  }
  const credentials =
    typeof options.credentials === 'function'
      ? await asked('credentials', options.credentials, complete)
      : options.credentials;
  return (urls as readonly string[]).map((url) => endpoint(url, credentials, options));
}

// A secret store that does not answer is no wrong password: it is asked again with the next attempt. The error itself
// is not handed on, since Node puts a URL that it cannot read into its property `input`.
async function asked<T>(what: string, ask: () => T | Promise<T>, isGood?: (found: T) => boolean): Promise<T> {
  let found: T;
  try {
    found = await ask();
  } catch (error) {
    const text = describeError(error).replace(/:\/\/\S*@/g, '://…@');
    throw new ConnectionRefusedError('host', `the function ${what} failed: ${text}`, AGAIN);
  }
  if (isGood?.(found) !== false) return found;
  throw new ConnectionRefusedError(
    'host',
    `the function ${what} returned no { username, password } with two strings`,
    AGAIN,
  );
}

const AGAIN = 'it is called again at the next connection attempt';

// Half of them would be completed from the URL, or be those of guest.
function complete(found: Partial<Credentials> | undefined): boolean {
  return typeof found?.username === 'string' && found.username !== '' && typeof found.password === 'string';
}

/** A function of the application did not answer in time. */
export function notAsked(ms: number): Error {
  const text = `the function url or credentials did not answer within ${ms} ms`;
  return new ConnectionRefusedError('timeout', text, AGAIN);
}

function endpoint(url: string, credentials: Credentials | undefined, options: EndpointOptions): Endpoint {
  const parsed = parse(url);
  checkParameters(parsed.searchParams);
  const secure = parsed.protocol === 'amqps:';
  const hostname = parsed.hostname.replace(/^\[|\]$/g, '') || 'localhost';
  const port = parsed.port === '' ? (secure ? 5671 : 5672) : Number(parsed.port);
  // An empty path means the default virtual host, as everywhere else.
  const vhost = parsed.pathname.length > 1 ? decode(parsed.pathname.slice(1)) : '/';
  const user = credentials?.username ?? (decode(parsed.username) || 'guest');
  const password = credentials?.password ?? (decode(parsed.password) || (parsed.username ? '' : 'guest'));
  const certificate = options.tls?.cert ?? options.tls?.pfx;
  const external = secure && certificate !== undefined && !credentials && parsed.username === '';
  if (!secure) refuseTls(options.tls, hostname);
  return {
    label: `${parsed.protocol}//${parsed.hostname}:${port}/${vhost === '/' ? '' : encodeURIComponent(vhost)}`,
    vhost,
    user: external ? undefined : user,
    connect: {
      protocol: secure ? 'amqps' : 'amqp',
      hostname,
      port,
      username: user,
      password,
      // The client library unescapes it once more.
      vhost: encodeURIComponent(vhost),
      heartbeat: heartbeatSeconds(parsed.searchParams.get('heartbeat'), options.heartbeat),
      ...wholeNumbers(parsed.searchParams),
    },
    socket: {
      ...(secure ? options.tls : {}),
      credentials: external ? amqpCredentials.external() : amqpCredentials.plain(user, password),
    },
  };
}

// Whoever gives certificates does not expect passwords and messages to be sent as plain text.
function refuseTls(tls: TlsOptions | undefined, hostname: string): void {
  if (!Object.values(tls ?? {}).some((value) => value !== undefined)) return;
  throw new ConfigError(
    `the option tls is given, but the URL of ${hostname} begins with amqp://: nothing would be encrypted`,
    'write amqps:// in the URL, or remove tls',
  );
}

function parse(url: unknown): URL {
  const hint = 'write amqp://user:password@host:5672/vhost, with special characters percent-encoded';
  let parsed: URL;
  try {
    parsed = new URL(String(url));
  } catch {
    // The text may hold a password, so it is not repeated here.
    throw new ConfigError('url cannot be parsed', hint);
  }
  // `amqp:host` is a path without a host, which would stand for localhost.
  if (!/^[a-z]+:\/\//i.test(String(url).trim())) throw new ConfigError('url has no // before its host', hint);
  // A password with / ? or # in it ends the host too early; its rest would be taken for a virtual host, and logged.
  if (/@/.test(parsed.pathname + parsed.search + parsed.hash))
    throw new ConfigError('url cannot be parsed', hint);
  if (parsed.protocol !== 'amqp:' && parsed.protocol !== 'amqps:') {
    throw new ConfigError(`url begins with '${parsed.protocol}'`, hint);
  }
  return parsed;
}

/** Parameters of a URL, as amqplib calls them. */
const PARAMETERS = ['heartbeat', 'frameMax', 'channelMax'];

// If it were ignored, a limit in the URL would have no effect.
function checkParameters(given: URLSearchParams): void {
  for (const name of given.keys()) {
    if (PARAMETERS.includes(name)) continue;
    const meant = nearest(name, PARAMETERS);
    throw new ConfigError(
      `url has an unknown parameter '${visible(name.slice(0, 40))}'`,
      `${meant ? `did you mean ${meant}? ` : ''}known: ${PARAMETERS.join(', ')}; everything else is an option of the connection`,
    );
  }
}

function wholeNumbers(given: URLSearchParams): Pick<Options.Connect, 'frameMax' | 'channelMax'> {
  const read = (name: string): number | undefined => {
    const text = given.get(name);
    if (text === null) return undefined;
    if (/^\d{1,9}$/.test(text)) return Number(text);
    throw new ConfigError(`${name} in the URL must be an integer`, `write ?${name}=2047`);
  };
  return { frameMax: read('frameMax'), channelMax: read('channelMax') };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new ConfigError(
      'url has a % that is not followed by two hexadecimal digits',
      'write %25 for a percent sign',
    );
  }
}

// The protocol counts in seconds; anything shorter would switch heartbeats off by rounding.
function heartbeatSeconds(fromUrl: string | null, option: number): number {
  if (fromUrl !== null) {
    if (/^\d{1,5}$/.test(fromUrl)) return Number(fromUrl);
    throw new ConfigError('heartbeat in the URL must be an integer (seconds)', 'write ?heartbeat=10');
  }
  const ms = milliseconds(option, 'heartbeat');
  return ms === 0 ? 0 : Math.max(1, Math.round(ms / 1_000));
}
