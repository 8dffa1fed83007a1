// Error classes that both sides of a call know: they are sent unmasked, with their fields, and the caller gets an
// instance of the same class. Only registered classes are ever instantiated; a reply cannot name any other class.

import { isError, ConfigError } from './errors.js';
import type { RemoteErrorFacts } from '../message/codecs/codec.js';
import type { ErrorClass } from '../options/options.js';
import { approachable, ownFields, thrownFacts } from './error-facts.js';

/** A registered class that creates its own errors: `static fromRemote(facts)`. */
type Rebuilding = ErrorClass & { readonly fromRemote?: (facts: RemoteErrorFacts) => unknown };

/** On an error that was rebuilt from a reply: its `RpcRemoteError`. An error with another `cause` may have any text. */
const REBUILT = Symbol.for('warren:rebuilt');

/** Fields that are sent separately, and names that programs would call: never in `data`. */
const OWN_WORDS = new Set(['name', 'message', 'stack', 'cause', '__proto__', 'toJSON', 'then']);

/** Of a call or handler that names no errors. */
export const NO_CLASSES: ReadonlyMap<string, ErrorClass> = new Map();

/** Classes by name; one may be there twice. @throws ConfigError when two have the same name, or one is not an error class */
export function errorClasses(
  classes: readonly ErrorClass[] | undefined,
  what: string,
): ReadonlyMap<string, ErrorClass> {
  if (!classes) return NO_CLASSES;
  const known = new Map<string, ErrorClass>();
  for (const one of classes) {
    if (typeof one !== 'function' || !(one.prototype instanceof Error)) {
      throw new ConfigError(
        `${what}: errors contains a value that is not an Error subclass`,
        'list classes that extend Error',
      );
    }
    if ((known.get(one.name) ?? one) !== one) {
      throw new ConfigError(
        `${what}: two error classes are called '${one.name}'`,
        'callers identify errors by class name: rename one of them',
      );
    }
    known.set(one.name, one);
  }
  return known;
}

/** The facts of an error of a registered class (or of one derived from it); undefined for others. Never throws. */
export function knownErrorFacts(
  known: ReadonlyMap<string, ErrorClass>,
  thrown: unknown,
): RemoteErrorFacts | undefined {
  const error = approachable(thrown);
  if (known.size === 0 || !isError(error)) return undefined;
  // The closest registered ancestor: an unknown subclass arrives as the ancestor that the caller knows.
  let prototype: unknown = Object.getPrototypeOf(error);
  while (typeof prototype === 'object' && prototype !== null) {
    const { constructor } = prototype as { constructor?: unknown };
    const name = typeof constructor === 'function' ? constructor.name : '';
    if (known.get(name)?.prototype === prototype) return { ...told(error), name };
    prototype = Object.getPrototypeOf(prototype);
  }
  return undefined;
}

function told(error: Error): Omit<RemoteErrorFacts, 'name'> {
  const data = ownFields(error, (key) => OWN_WORDS.has(key));
  const { code } = data;
  return {
    message: thrownFacts(error).message,
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(Object.keys(data).length === 0 ? {} : { data }),
  };
}

/** Recreates the remote error; undefined when its class is not registered. */
export function rebuiltError(
  known: ReadonlyMap<string, ErrorClass>,
  facts: RemoteErrorFacts,
  cause: Error,
): Error | undefined {
  const type: Rebuilding | undefined = known.get(facts.name);
  if (!type) return undefined;
  if (typeof type.fromRemote === 'function') {
    const made = type.fromRemote(facts);
    if (made instanceof type) return marked(made, cause);
  }
  // The constructor of the class is not called: its parameters are unknown.
  const error = new Error(facts.message, { cause });
  Object.setPrototypeOf(error, type.prototype as object);
  if (error.name === 'Error') define(error, 'name', facts.name);
  for (const [key, value] of fields(facts)) {
    if (!isReserved(type, key)) define(error, key, value, true);
  }
  if ('getStatus' in type.prototype) refuseSuccess(error);
  return marked(error, cause);
}

function marked(error: Error, cause: Error): Error {
  if (!Object.isExtensible(error)) return error;
  define(error, REBUILT, cause);
  if (error.cause === undefined) define(error, 'cause', cause);
  return error;
}

// Methods of the class or of Object (`toString`) must not be replaced by a remote program.
function isReserved(type: ErrorClass, key: string): boolean {
  return OWN_WORDS.has(key) || key in (type.prototype as object);
}

// Nest's HTTP server uses the status of such an error, and 200 when there is none.
function refuseSuccess(error: Error & { readonly status?: unknown }): void {
  const { status } = error;
  if (typeof status === 'number' && Number.isInteger(status) && status >= 400 && status <= 599) return;
  define(error, 'status', 500, true);
}

function fields({ code, data }: RemoteErrorFacts): [string, unknown][] {
  const own = typeof data === 'object' && data !== null && !Array.isArray(data) ? Object.entries(data) : [];
  return code === undefined ? own : [['code', code], ...own];
}

// Defined, not assigned: a setter of the class must not run with a remote value.
function define(error: Error, key: string | symbol, value: unknown, enumerable = false): void {
  Object.defineProperty(error, key, { value, enumerable, configurable: true, writable: true });
}
