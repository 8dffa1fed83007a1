// One table for all options: name, type, default, meaning and check. The errors for invalid options and
// docs/options.md are both generated from it.

import { inspect } from 'node:util';
import { ConfigError } from '../errors/errors.js';
import {
  nearest,
  above,
  anyString,
  bool,
  codec,
  credentials,
  duration,
  either,
  exactly,
  having,
  inside,
  isFalse,
  isFunction,
  list,
  name,
  listOf,
  object,
  oneOf,
  rate,
  schema,
  serviceName,
  streamOffset,
  text,
  tlsOptions,
  whole,
  type Check,
  type Finding,
} from './option-checks.js';

/** A row of the table. `check` says what is wrong with a value, or nothing. */
export interface OptionRow {
  readonly name: string;
  readonly type: string;
  readonly default: string;
  readonly meaning: string;
  readonly check: Check;
}

const MAX = Number.MAX_SAFE_INTEGER;
const delays = either(
  duration,
  listOf(duration, 'durations'),
  exactly({ first: duration, factor: above(1), max: duration }),
  exactly({ first: duration, step: duration, max: duration }),
);
const classes = listOf(isFunction, 'error classes', 0);
const retry = either(
  isFalse,
  inside({ attempts: whole(1, 1000), delays, jitter: bool, on: classes, not: classes }),
);
const deadLetter = inside({ broker: bool });
const declare = oneOf('create', 'check', 'skip');
const queueType = oneOf('quorum', 'classic', 'stream', 'default');
const maxPriority = whole(1, 255);
const maxLength = whole(0, MAX);
// Names and keys are checked with what they are for: topology/declarations.ts.
const exchangeOptions = inside({
  name: anyString,
  type: text,
  durable: bool,
  autoDelete: bool,
  internal: bool,
  alternateExchange: name,
  arguments: object,
  declare,
});
const exchange = either(anyString, exchangeOptions);
const binding = {
  exchange,
  key: anyString,
  keys: list,
  match: either(exactly({ all: object }), exactly({ any: object })),
};
const queueOptions = inside({
  name: anyString,
  queueType,
  durable: bool,
  maxPriority,
  messageTtl: duration,
  maxLength,
  singleActive: bool,
  arguments: object,
  declare,
});
const topology = inside({
  exchanges: listOf(exchangeOptions, 'exchanges', 0),
  queues: listOf(queueOptions, 'queues', 0),
  bindings: listOf(inside({ ...binding, queue: anyString, to: anyString }), 'bindings', 0),
});
const row = (name: string, type: string, fallback: string, meaning: string, check: Check): OptionRow => {
  return { name, type, default: fallback, meaning, check };
};

/** Options of a connection: `forRoot`, `new Broker`. */
// One row, one line.
// prettier-ignore
export const BROKER_OPTIONS: readonly OptionRow[] = [
  row('url', 'string, string[], function', 'RABBITMQ_URL, else amqp://guest:guest@localhost:5672', 'one URL (its parameters may be heartbeat, frameMax, channelMax), the nodes of one cluster (tried in turn), or a function that returns them for each connect', either(text, list, isFunction)),
  row('service', 'string', 'the package name', 'names the connections; first part of generated queue names; at most 200 bytes', serviceName),
  row('exchange', 'string', "'events'", 'durable topic exchange of subscribe and publish', name),
  row('queueType', "'quorum', 'classic', 'default'", "'quorum'", 'type of named durable queues; default lets the broker decide', oneOf('quorum', 'classic', 'default')),
  row('prefetch', '1 to 65535', '32', 'unacked messages per consumer', whole(1, 65535)),
  row('concurrency', 'number', 'the prefetch', 'handlers running at once per consumer; above a prefetch given here it is a boot error', whole(1, 65535)),
  row('retry', 'object, false', '5 attempts after 1s, 5s, 30s, 2m', 'retry policy for errors of handlers: attempts, delays, jitter, on, not; false dead-letters at once', retry),
  row('deadLetter', '{ broker }', 'broker: true', 'whether the broker dead-letters messages that it would drop (returned too often, expired, queue full); false: queues get no arguments for it', deadLetter),
  row('rpc', 'object', "timeout 10s, reply 'direct'", 'timeout, reply (direct or queue), exposeErrors, maxPending, replyTo (prefixes of queue names, or any: where replies may go besides direct reply-to and exclusive queues)', inside({ timeout: duration, reply: oneOf('direct', 'queue'), exposeErrors: bool, maxPending: whole(1, MAX), replyTo: either(oneOf('any'), listOf(text, 'prefixes', 0)), })),
  row('publish', 'object', 'persistent, timeout 10s, publish buffer 10000 messages and 64 MiB', 'persistent, timeout, retryUnknown (send again when the outcome is unknown; default false), retryNacked (how long nacked messages are sent again; default 5s; 0: never), buffer { messages, bytes }', inside({ persistent: bool, retryUnknown: bool, retryNacked: duration, timeout: duration, buffer: inside({ messages: whole(0, MAX), bytes: whole(0, MAX) }), })),
  row('startup', "'require', 'background'", "'require'", 'whether a start without the broker fails, or keeps trying while the application runs', oneOf('require', 'background')),
  row('startupTimeout', 'duration', '30s', "how long startup: 'require' tries", duration),
  row('shutdown', 'duration', '10s', 'how long running handlers may take to finish when closing', duration),
  row('consumers', 'boolean', 'true', 'false: this process only publishes', bool),
  row('log', '{ stack }', "stack: 'first-and-last'", 'stack: which failed attempts are logged with the stack of their error: first-and-last (of each message), every, or never', inside({ stack: oneOf('first-and-last', 'every', 'never') })),
  row('logger', 'object with log, warn, error', "the console, or Nest's logger", 'where log lines go', having({ log: isFunction, warn: isFunction, error: isFunction })),
  row('codecs', 'list', 'json, text, bytes', 'additional codecs, tried before the built-in ones', listOf(codec, 'codecs', 0)),
  row('plugins', 'list', 'none', 'extensions, the outermost first: see docs/plugins.md', list),
  row('fleet', 'boolean, { version, control }', 'false', 'whether this process answers questions of `warren trace` and other programs (docs/fleet.md): one exclusive queue and one channel; version: that of the application; control: whether handlers may be paused and limited in all instances at once (docs/control.md)', either(bool, inside({ version: text, control: bool }))),
  row('correlation', 'boolean', 'true', 'whether messages that a handler sends carry the correlation id of the one that it handles, and its message id as x-causation-id', bool),
  row('propagate', 'list of header names', 'none', 'headers that every message takes over from the one that is handled when it is sent', listOf(name, 'header names', 0)),
  row('tls', 'object', "Node's defaults", 'for amqps: ca, cert, key, pfx, passphrase, servername, rejectUnauthorized, minVersion, maxVersion, ciphers; with an amqp URL it is an error', tlsOptions),
  row('credentials', 'object, function', 'those of the URL', 'username and password, or a function that fetches them for each connect', either(credentials, isFunction)),
  row('heartbeat', 'duration', '10s', 'interval; after two missed heartbeats the connection counts as lost; 0 disables them', duration),
  row('connectTimeout', 'duration', '5s', 'how long one attempt to connect may take', duration),
  row('reconnect', 'object', 'min 200ms, max 1s', 'delays between attempts to connect, doubled from min to max with jitter; one connection tries, the others follow at once', inside({ min: duration, max: duration })),
  row('watchdog', 'duration', '10s', 'how often to check that each consumer, exchange, queue and binding still exists; missing ones are restored; 0: never', duration),
  row('maxMessageBytes', 'number', '16 MiB', 'larger bodies are not sent, and dead-lettered undecoded when received', whole(1, MAX)),
  row('maxUnfoldedBytes', 'number', '4 MiB', 'maximum decompressed size of a body, above 1 MiB also at most 200 times its size; larger ones are dead-lettered undecoded', whole(1, MAX)),
  row('maxDecodedBytes', 'number', '128 MiB', 'total size of the bodies that handlers of one consumer work on at the same time, compressed ones at their maximum decompressed size; others wait; a single body may be larger', whole(1, MAX)),
  row('maxJsonContainers', 'number', '100000', 'maximum number of objects and arrays in a JSON body; larger ones are dead-lettered undecoded', whole(1, MAX)),
  row('consumerTimeout', 'duration', '30m', "the broker's consumer_timeout: how long a consumer may hold a message; handlers that may run longer are a boot error; 0: no limit", duration),
];

/** Options of a handler: `@Consume`, `@Subscribe`, `@RpcHandler`. */
// One row, one line.
// prettier-ignore
export const HANDLER_OPTIONS: readonly OptionRow[] = [
  row('queue', 'string', 'see the decorator', 'the queue it consumes', name),
  row('exchange', 'string, object', "the connection's exchange (subscribe)", 'where the patterns are bound: a name, or { name, type, durable, ... } to declare it', exchange),
  row('bindings', 'list', 'none', '{ exchange, key or keys, match: { all } or { any } }, any number of them', listOf(inside(binding), 'bindings', 0)),
  row('queueType', "'quorum', 'classic', 'stream', 'default'", "the connection's; 'classic' for RPC", 'type of the queue; with broadcast always classic', queueType),
  row('durable', 'boolean', 'true', 'whether the queue survives a restart of the broker; false makes it a classic queue, which a queue of broadcast always is', bool),
  row('prefetch', '1 to 65535', "the connection's", 'unacked messages of this consumer', whole(1, 65535)),
  row('concurrency', 'number', 'the prefetch', 'handlers of this consumer running at once; above its own prefetch it is a boot error, above that of the connection a warning', whole(1, 65535)),
  row('orderBy', "'routingKey', { header }, function", 'none', 'messages with the same key run one after the other, in the order they arrived; those with other keys run concurrently', either(oneOf('routingKey'), exactly({ header: text }), isFunction)),
  row('ack', "'auto', 'manual', 'none'", "'auto'", 'acked when the handler returns; by the handler; or by the broker on delivery (a crash loses it; 10000 messages and maxDecodedBytes limit the waiting messages instead of the prefetch)', oneOf('auto', 'manual', 'none')),
  row('retry', 'object, false', "the connection's; false for RPC", 'retry policy for errors of the handler', retry),
  row('deadLetter', 'boolean, { broker }', 'true; false for RPC', 'false: messages that fail for good are dropped with an error in the log; { broker: false }: they are dead-lettered, but messages that the broker drops are not', either(bool, deadLetter)),
  row('timeout', 'duration', 'none', 'maximum run time; then the signal aborts and the run counts as failed', duration),
  row('batch', 'object', 'none', 'size, and wait from the first message (1s): the handler gets arrays; a size above the prefetch of the connection raises it for this handler, above its own prefetch it is a boot error', inside({ size: whole(1, 65535), wait: duration })),
  row('maxPriority', '1 to 255', 'none', 'makes a priority queue (classic)', maxPriority),
  row('messageTtl', 'duration', 'none', 'how long messages stay in the queue; then they are dead-lettered (with broadcast: dropped)', duration),
  row('maxLength', 'number', 'none', 'maximum length of the queue, in messages; the oldest are dead-lettered (with broadcast: dropped)', maxLength),
  row('singleActive', 'boolean', 'false', 'one consumer at a time; the next takes over', bool),
  row('priority', 'number', '0', 'consumer priority: higher gets messages first', whole(-2147483648, 2147483647)),
  row('stream', 'object', 'none', 'reads a stream queue from { offset }: first, last, next, a number, a Date, or an interval', inside({ offset: streamOffset })),
  row('declare', "'create', 'check', 'skip'", "'create'", 'declare the queue, only check that it exists, or neither; with broadcast it is always declared', declare),
  row('schema', 'Standard Schema', 'none', 'validates the payload; invalid messages are dead-lettered', schema),
  row('codec', 'codec', 'by content type', 'decodes (and for RPC encodes) with this codec, regardless of the content type', codec),
  row('broadcast', 'boolean', 'false', 'every instance gets a copy; nothing is kept while it is down; for RPC, callers gather the replies of all instances', bool),
  row('errors', 'list of error classes', 'none', 'RPC: error classes that are sent to the caller unmasked, with their fields', list),
  row('response', 'Standard Schema', 'none', 'RPC: validates the reply', schema),
  row('ifCallerGone', "'run', 'skip'", "'run'", 'RPC: skip does not run a request that waited if its caller is gone', oneOf('run', 'skip')),
  row('idempotent', 'object', 'none', 'RPC: { ttl, store }: a repeated request (same message id) gets the stored reply', inside({ ttl: duration, store: having({ get: isFunction, set: isFunction }) })),
  row('rate', "string: '100/s', '30/m', '500/h'", 'none', 'messages that may start in that time, per instance: see docs/control.md', rate),
  row('breaker', 'object', 'none', '{ failures, of, pause }: after so many failed runs among the last of (default: failures) nothing runs for pause (30s, at most half of consumerTimeout), then one message probes', inside({ failures: whole(1, 1000), of: whole(1, 1000), pause: duration })),
  row('paused', 'boolean', 'false', 'begins paused: nothing is consumed before it is resumed at run time', bool),
  row('plugins', 'object', 'none', 'options for plugins, by the name of the plugin', object),
  row('arguments', 'object', 'none', 'queue arguments as another program declared them', object),
];

/**
 * Checks options against their table.
 *
 * @throws ConfigError naming the option, what it should be and what it is.
 */
export function checkOptions(what: string, options: object, table: readonly OptionRow[]): void {
  for (const [name, value] of Object.entries(options)) {
    const found = table.find((candidate) => candidate.name === name);
    const known = table.map((one) => one.name);
    if (!found) throw wrongOption(what, { path: `.${name}`, unknown: name, known });
    const wrong = value === undefined ? undefined : found.check(value);
    if (typeof wrong === 'string')
      throw wrongOption(what, { path: `.${name}`, must: wrong, value }, found.meaning);
    if (wrong) throw wrongOption(what, { ...wrong, path: `.${name}${wrong.path}` }, found.meaning);
  }
}

/** Checks what `declare` and `forFeature` take. @throws ConfigError */
export function checkTopology(what: string, options: object): void {
  const wrong = topology(options);
  if (typeof wrong === 'object') throw wrongOption(what, wrong);
}

function wrongOption(what: string, wrong: Finding, meaning = ''): ConfigError {
  const path = wrong.path.replace(/^\./, '');
  if ('unknown' in wrong) {
    const found = nearest(wrong.unknown, wrong.known);
    const meant = found === undefined ? '' : `did you mean ${found}? `;
    return new ConfigError(
      `${what}: there is no option '${path}'`,
      `${meant}known: ${wrong.known.join(', ')}`,
    );
  }
  return new ConfigError(
    `${what}: '${path}' must be ${wrong.must}, but is ${show(path, wrong.value)}`,
    meaning,
  );
}

const SECRET = new Set(['url', 'credentials', 'tls']);

// A URL or credentials may hold a password: their values are never shown.
function show(path: string, value: unknown): string {
  const secret = SECRET.has(path.replace(/[.[].*/, ''));
  if (typeof value === 'string') {
    return secret || value.includes('://') ? 'a different string' : `'${value.slice(0, 60)}'`;
  }
  if (value === undefined) return 'missing';
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : 'an array';
  if (typeof value !== 'object' || value === null) return secret ? `a ${typeof value}` : inspect(value);
  const names = Object.keys(value).slice(0, 5);
  return names.length === 0 ? 'an object without options' : `an object with ${names.join(', ')}`;
}
