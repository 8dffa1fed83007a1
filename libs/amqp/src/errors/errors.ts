// The base class of all errors, and the errors that do not concern a publish, a call or topology. Each has a class
// and a code to branch on, a message that says what happened, and a hint that says what to do. docs/errors.md lists
// them all.

import { types } from 'node:util';

// Whether something is an error, also one of another realm: jest runs tests in a separate context, where Node's own
// errors (of `fs`, of an AbortSignal) are not instances of `Error`.

/** Has its own class, message and stack. Throws for a Proxy that throws when it is read. */
export function isError(value: unknown): value is Error {
  if (value instanceof Error || types.isNativeError(value)) return true;
  return typeof value === 'object' && Object.prototype.toString.call(value) === '[object DOMException]';
}

/**
 * The class of an error, in every place that names it: the log, dead letters, remote callers, metrics. Most classes never
 * set `name`, and the name of the class says more than "Error". Never throws.
 */
export function className(error: Error): string {
  return nameOf(() => error.name, 'Error') ?? nameOf(() => error.constructor.name) ?? 'Error';
}

function nameOf(read: () => unknown, other = ''): string | undefined {
  try {
    const name = read();
    const text = typeof name === 'string' || typeof name === 'number' ? String(name) : '';
    return text === other || text === '' ? undefined : text;
  } catch {
    return undefined;
  }
}

// Errors created while frames are read or timers fire: their stacks would contain only this library, and capturing
// them takes most of the time when thousands of messages fail together.

/** Calls `make` without capturing stack frames. */
export function withoutFrames<T extends Error>(make: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Base class of all errors of Warren. `code` is stable, `hint` says what to do. */
export class RabbitError extends Error {
  /** Stable, upper case, for `switch`: see docs/errors.md. */
  readonly code: string;
  /** What to do about it, one sentence. */
  readonly hint: string;

  constructor(code: string, message: string, hint: string, cause?: unknown) {
    super(hint ? `${message} (${hint})` : message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.hint = hint;
    this.name = new.target.name;
  }
}

/** An option, a decorator or their combination is invalid. Thrown before a socket opens. */
export class ConfigError extends RabbitError {
  constructor(message: string, hint: string, cause?: unknown) {
    super('WARREN_CONFIG', message, hint, cause);
  }
}

/** A payload or a property of the message cannot be encoded. Nothing was sent. */
export class EncodeError extends RabbitError {
  constructor(message: string, hint: string, cause?: unknown) {
    super('WARREN_ENCODE', message, hint, cause);
  }
}

/** The body of a delivery or reply cannot be decoded, or does not match its schema. */
export class DecodeError extends RabbitError {
  /** The issues that the schema reported, when a schema rejected the payload. */
  readonly issues: readonly DecodeIssue[];

  constructor(message: string, hint: string, issues: readonly DecodeIssue[] = [], cause?: unknown) {
    super('WARREN_DECODE', message, hint, cause);
    this.issues = issues;
  }
}

/** One issue of a schema: the path of the value, and the problem. */
export interface DecodeIssue {
  readonly path: string;
  readonly message: string;
}

const RECONNECTS = 'Warren reconnects automatically unless the application is shutting down';

/** An operation needs a connection and there is none, or the broker object was closed. */
export class ConnectionLostError extends RabbitError {
  constructor(message: string, cause?: unknown, hint = RECONNECTS) {
    super('WARREN_CONNECTION_LOST', message, hint, cause);
  }
}

/** Why a connection could not be opened. */
export type RefusalReason = 'host' | 'credentials' | 'vhost' | 'limit' | 'tls' | 'timeout' | 'protocol';

/** A connection could not be opened; `reason` says whether host, credentials, vhost or TLS is to blame. */
export class ConnectionRefusedError extends RabbitError {
  constructor(
    readonly reason: RefusalReason,
    message: string,
    hint: string,
    cause?: unknown,
  ) {
    super('WARREN_CONNECTION_REFUSED', message, hint, cause);
  }
}

/** A handler ran longer than its `timeout`. Treated as a throw. */
export class HandlerTimeoutError extends RabbitError {
  constructor(handler: string, ms: number) {
    super(
      'WARREN_HANDLER_TIMEOUT',
      `${handler} ran longer than its timeout of ${ms} ms`,
      'its signal was aborted; raise the timeout, or pass the signal to the operations that it awaits',
    );
  }
}

/** The reason of a handler's `signal`: the broker requeued its message after the `consumer_timeout`. */
export class ConsumerTimeoutError extends RabbitError {
  constructor(handler: string, queue: string) {
    super(
      'WARREN_CONSUMER_TIMEOUT',
      `${handler} held a message of '${queue}' longer than the broker's consumer timeout`,
      'give the handler a shorter timeout, or raise consumer_timeout on the broker and set the option consumerTimeout to match',
    );
  }
}

/** A plugin threw, or did not do what its interface asks for. `plugin` names it, `cause` is what it threw. */
export class PluginError extends RabbitError {
  constructor(
    readonly plugin: string,
    what: string,
    cause?: unknown,
  ) {
    super(
      'WARREN_PLUGIN',
      `the plugin '${plugin}' ${what}`,
      cause === undefined
        ? 'mend the plugin, or leave it out of the option plugins'
        : 'the plugin refuses this, or has to be mended: see cause',
      cause,
    );
  }
}

/** An address as it reads in a sentence. */
export function destination(exchange: string, routingKey: string): string {
  return exchange === '' ? `queue '${routingKey}'` : `'${routingKey}' on exchange '${exchange}'`;
}
