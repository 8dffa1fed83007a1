// Options with their defaults filled in and their durations turned into numbers: what the rest of the
// code reads, so that no default is said twice.

import type { Clock } from '../runtime/clock.js';
import type { RemoteErrorFacts, Codec } from '../message/codecs/codec.js';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { humanDuration, milliseconds, type Duration } from './duration.js';
import { ConfigError } from '../errors/errors.js';
import { CONSOLE, guarded, type Log, hiding } from '../runtime/logger.js';
import { checkOptions, BROKER_OPTIONS } from './option-table.js';
import type { Plugin } from '../plugins/plugin.js';
import type { CredentialsOption, FleetOptions, TlsOptions, UrlOption } from './connection-options.js';
import type { BrokerOptions, HandlerOptions, LogOptions, QueueType, RetryOptions } from './options.js';

// What a framework around the broker object, or a test, puts into it: no options, because no user needs them.

/** For frameworks and tests. */
export interface BrokerHooks {
  readonly clock?: Clock;
  /** Tells this broker object from others of the process, to who listens on node:diagnostics_channel. Default `default`. */
  readonly name?: string;
  /** What a remote caller may know about an error; undefined leaves it to `rpc.exposeErrors`. */
  readonly remoteError?: (error: unknown) => RemoteErrorFacts | undefined;
  /** Turns an entry of the option `plugins` into the plugin. Asked once, when plugins are first used. */
  readonly plugin?: (entry: unknown) => unknown;
  /** Registers handlers and topology if that was not done yet: called for a publish before `open`. */
  readonly register?: () => void;
  /** Deadlines end at their very time, instead of up to 20 ms later, and waits of retries have no jitter. For tests that move time. */
  readonly exact?: boolean;
  /** The least time between two looks at what others may have left in wait queues, or stopped delivering, in ms. */
  readonly upkeep?: number;
  /** Shortens waits of retries and delays. */
  readonly shortenWait?: (ms: number) => number;
  /** How long after its wait a message comes back when no process moves it, in ms. Default 30 000. */
  readonly grace?: number;
}

/** BrokerOptions, complete. Durations are milliseconds. */
export interface Settings {
  readonly url: UrlOption;
  readonly service: string;
  readonly exchange: string;
  readonly queueType: QueueType;
  readonly prefetch: number;
  readonly concurrency: number | undefined;
  readonly retry: RetryOptions | false | undefined;
  /** Whether the broker dead-letters messages that it would drop. */
  readonly brokerDeadLetters: boolean;
  readonly rpc: {
    readonly timeout: number;
    readonly reply: 'direct' | 'queue';
    readonly exposeErrors: boolean;
    readonly maxPending: number;
    readonly replyTo: 'any' | readonly string[];
  };
  readonly publish: {
    readonly persistent: boolean;
    readonly timeout: number;
    readonly retryUnknown: boolean;
    readonly retryNacked: number;
    readonly buffer: { readonly messages: number; readonly bytes: number };
  };
  readonly startup: 'require' | 'background';
  readonly startupTimeout: number;
  readonly shutdown: number;
  readonly consumers: boolean;
  readonly log: { readonly stack: NonNullable<LogOptions['stack']> };
  readonly logger: Log;
  readonly codecs: readonly Codec[];
  readonly plugins: readonly Plugin[];
  /** Undefined: it cannot be asked. */
  readonly fleet: { readonly version: string | undefined; readonly control: boolean } | undefined;
  readonly correlation: boolean;
  readonly propagate: readonly string[];
  readonly tls: TlsOptions | undefined;
  readonly credentials: CredentialsOption | undefined;
  readonly heartbeat: number;
  readonly connectTimeout: number;
  readonly reconnect: { readonly min: number; readonly max: number };
  /** 0: it never looks. */
  readonly watchdog: number;
  readonly maxMessageBytes: number;
  readonly maxUnfoldedBytes: number;
  readonly maxDecodedBytes: number;
  readonly maxJsonContainers: number;
  /** 0: the broker has none. */
  readonly consumerTimeout: number;
}

/** Limits for decompressing and parsing untrusted bodies, which take time and memory. */
export const DECODE_LIMITS = {
  maxUnfoldedBytes: 4 * 1024 * 1024,
  maxDecodedBytes: 128 * 1024 * 1024,
  maxJsonContainers: 100_000,
};

type DecodeLimits = Pick<Settings, keyof typeof DECODE_LIMITS>;

/**
 * Options with every default filled in.
 *
 * @throws ConfigError naming the option that makes no sense.
 */
export function settings(options: BrokerOptions = {}): Settings {
  checkOptions('the connection options', options, BROKER_OPTIONS);
  checkPrefetch(options, 'the connection options');
  const ms = (value: BrokerOptions['shutdown'], fallback: number, what: string): number =>
    value === undefined ? fallback : milliseconds(value, what);
  const complete: Settings = {
    // An empty variable is one that is not set.
    url: options.url ?? (process.env.RABBITMQ_URL || 'amqp://guest:guest@localhost:5672'),
    service: options.service ?? packageName(),
    exchange: options.exchange ?? 'events',
    queueType: options.queueType ?? 'quorum',
    prefetch: options.prefetch ?? 32,
    concurrency: options.concurrency,
    retry: options.retry,
    brokerDeadLetters: options.deadLetter?.broker ?? true,
    rpc: {
      timeout: ms(options.rpc?.timeout, 10_000, 'rpc.timeout'),
      reply: options.rpc?.reply ?? 'direct',
      exposeErrors: options.rpc?.exposeErrors ?? false,
      maxPending: options.rpc?.maxPending ?? 10_000,
      replyTo: options.rpc?.replyTo ?? [],
    },
    publish: {
      persistent: options.publish?.persistent ?? true,
      timeout: ms(options.publish?.timeout, 10_000, 'publish.timeout'),
      retryUnknown: options.publish?.retryUnknown ?? false,
      retryNacked: ms(options.publish?.retryNacked, 5_000, 'publish.retryNacked'),
      buffer: bufferLimits(options.publish?.buffer),
    },
    startup: options.startup ?? 'require',
    startupTimeout: ms(options.startupTimeout, 30_000, 'startupTimeout'),
    shutdown: ms(options.shutdown, 10_000, 'shutdown'),
    consumers: options.consumers ?? true,
    ...logging(options),
    codecs: options.codecs ?? [],
    plugins: options.plugins ?? [],
    fleet: fleetOf(options.fleet),
    ...inheritanceOf(options),
    tls: options.tls,
    credentials: options.credentials,
    heartbeat: ms(options.heartbeat, 10_000, 'heartbeat'),
    connectTimeout: ms(options.connectTimeout, 5_000, 'connectTimeout'),
    reconnect: reconnectWaits(options.reconnect),
    watchdog: ms(options.watchdog, 10_000, 'watchdog'),
    maxMessageBytes: options.maxMessageBytes ?? 16 * 1024 * 1024,
    ...decodeLimits(options),
    consumerTimeout: ms(options.consumerTimeout, 30 * 60_000, 'consumerTimeout'),
  };
  return hiding(complete, ['url', 'credentials', 'tls']);
}

/**
 * Numbers given at the same place that contradict each other.
 *
 * @throws ConfigError; `what` names the place
 */
export function checkPrefetch(
  { prefetch, concurrency, batch, ack }: Pick<HandlerOptions, 'prefetch' | 'concurrency' | 'batch' | 'ack'>,
  what: string,
): void {
  // Without acks the broker knows no prefetch.
  if (prefetch === undefined || ack === 'none') return;
  if (batch && batch.size > prefetch) {
    throw new ConfigError(
      `${what}: a batch of ${batch.size} can never fill with prefetch ${prefetch}`,
      `make prefetch at least ${batch.size}, or remove it: the size of the batch is enough`,
    );
  }
  if (concurrency !== undefined && concurrency > prefetch) {
    throw new ConfigError(
      `${what}: concurrency ${concurrency} is above prefetch ${prefetch}, so no more than ${prefetch} can run at once`,
      `make prefetch at least ${concurrency}, or lower concurrency`,
    );
  }
}

function logging({ log, logger }: BrokerOptions): Pick<Settings, 'log' | 'logger'> {
  return { log: { stack: log?.stack ?? 'first-and-last' }, logger: guarded(logger ?? CONSOLE) };
}

function decodeLimits(given: BrokerOptions): DecodeLimits {
  const { maxUnfoldedBytes, maxDecodedBytes, maxJsonContainers } = given;
  return {
    maxUnfoldedBytes: maxUnfoldedBytes ?? DECODE_LIMITS.maxUnfoldedBytes,
    maxDecodedBytes: maxDecodedBytes ?? DECODE_LIMITS.maxDecodedBytes,
    maxJsonContainers: maxJsonContainers ?? DECODE_LIMITS.maxJsonContainers,
  };
}

function bufferLimits({
  messages = 10_000,
  bytes = 64 * 1024 * 1024,
}: Partial<Settings['publish']['buffer']> = {}): Settings['publish']['buffer'] {
  return { messages, bytes };
}

function inheritanceOf({
  correlation,
  propagate,
}: BrokerOptions): Pick<Settings, 'correlation' | 'propagate'> {
  return { correlation: correlation ?? true, propagate: propagate ?? [] };
}

function fleetOf(given: BrokerOptions['fleet']): Settings['fleet'] {
  if (given === undefined || given === false) return undefined;
  const { version, control = false }: FleetOptions = given === true ? {} : given;
  return { version, control };
}

function reconnectWaits(given: BrokerOptions['reconnect'] = {}): Settings['reconnect'] {
  const read = (value: Duration | undefined, what: string): number | undefined =>
    value === undefined ? undefined : milliseconds(value, what);
  const [min, max] = [read(given.min, 'reconnect.min'), read(given.max, 'reconnect.max')];
  if (min !== undefined && max !== undefined && min > max) {
    throw new ConfigError(
      `the connection options: reconnect.min (${humanDuration(min)}) is above reconnect.max (${humanDuration(max)})`,
      'delays grow from min to max',
    );
  }
  // One of the two given: the other one's default must not contradict it.
  return { min: min ?? Math.min(200, max ?? 200), max: max ?? Math.max(1_000, min ?? 0) };
}

/** The application's package name without its scope, found from the program that was started; `app` when there is none. */
export function packageName(start: string | undefined = process.argv[1]): string {
  for (let folder = start ? dirname(start) : process.cwd(); ; folder = dirname(folder)) {
    try {
      const { name } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name?: unknown };
      if (typeof name === 'string' && name !== '') return name.replace(/^@[^/]*\//, '').slice(0, 200);
    } catch {
      // No package.json here: look in the folder above.
    }
    if (folder === dirname(folder)) return 'app';
  }
}
