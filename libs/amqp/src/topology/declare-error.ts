// The broker refuses a declaration by closing the channel with a code and a text. This module turns that into an
// error that says who declared it, what differs, and what to do.

import { ConfigError, ConnectionLostError, RabbitError } from '../errors/errors.js';
import type { Headers } from '../message/message.js';
import { CHANNEL_LOST, hintFor, replyCodeIn } from '../errors/error-facts.js';
import {
  AccessRefusedError,
  QueueLockedError,
  TopologyMismatchError,
  TopologyMissingError,
  type Permission,
} from '../errors/topology-errors.js';

/** What was being declared when the broker refused it. */
export interface Asked {
  readonly what: 'queue' | 'exchange' | 'binding';
  readonly name: string;
  readonly declaredBy: string;
  /** The queue or exchange as requested. */
  readonly arguments?: Headers;
}

/** Maps the error of a declaration: the broker refused it, or the connection was lost. */
export function declareError(error: unknown, asked: Asked): unknown {
  if (error instanceof RabbitError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const hint = hintFor(text);
  if (hint !== undefined) return refused(text, asked, hint, error);
  switch (replyCode(error, text)) {
    case 403:
      return accessRefused(text, asked, error);
    case 404:
      return missing(text, asked);
    case 405:
      return new QueueLockedError(asked.name, error);
    case 406:
      return mismatch(text, asked, error);
    default:
      break;
  }
  // The client library could not encode it.
  if (error instanceof TypeError || error instanceof RangeError) {
    return new ConfigError(
      `${asked.declaredBy}: ${asked.what} '${asked.name}' cannot be declared: ${text}`,
      'check its name and arguments',
      error,
    );
  }
  // Severe errors close the whole connection, which reports the reason; only this code knows what was being declared.
  return new ConnectionLostError(
    `${asked.declaredBy} was declaring ${asked.what} '${asked.name}'${CHANNEL_LOST}${brief(text)}`,
    error,
    'it is declared again with the next channel; the log says whether the connection was lost, and why',
  );
}

/** The AMQP reply code in an error of the client library, if any. */
export function replyCode(
  error: unknown,
  text = error instanceof Error ? error.message : '',
): number | undefined {
  const own = (error as { code?: unknown } | undefined)?.code;
  return typeof own === 'number' ? own : replyCodeIn(text);
}

function refused(text: string, asked: Asked, hint: string, cause: unknown): ConfigError {
  return new ConfigError(
    `${asked.declaredBy}: the broker refuses ${asked.what} '${asked.name}': ${brief(text)}`,
    hint,
    cause,
  );
}

// "ACCESS_REFUSED - access to queue 'q' in vhost '/' refused for user 'u'"; RabbitMQ 4 says which access.
const REFUSED = /(?:(configure|write|read) )?access to (queue|exchange) '([^']*)' in vhost/;

function accessRefused(text: string, asked: Asked, cause: unknown): AccessRefusedError {
  const found = REFUSED.exec(text);
  if (!found) return new AccessRefusedError(`${asked.what} '${asked.name}'`, asked.declaredBy, cause);
  const [, said, what, name] = found;
  const permission = (said as Permission | undefined) ?? permissionFor(text, asked, what, name);
  const resource = name === 'amq.default' ? `the default exchange '${name}'` : `${what} '${name}'`;
  const other = what !== asked.what || name !== asked.name;
  const declaring = other ? `${asked.what} '${asked.name}'` : undefined;
  return new AccessRefusedError(resource, asked.declaredBy, cause, { permission, declaring });
}

/** What an operation needs, as RabbitMQ documents it. */
function permissionFor(text: string, asked: Asked, what: string, name: string): Permission | undefined {
  switch (/Operation failed: (\w+)/.exec(text)?.[1]) {
    case 'QueueDeclare':
    case 'ExchangeDeclare':
      // Dead-letter and alternate exchanges need write permission.
      return what === asked.what && name === asked.name ? 'configure' : 'write';
    case 'QueueBind':
    case 'ExchangeBind':
      return what === 'exchange' && asked.name.startsWith(`${name} -> `) ? 'read' : 'write';
    case 'BasicConsume':
    case 'BasicGet':
      return 'read';
    default:
      return undefined;
  }
}

function missing(text: string, asked: Asked): Error {
  const found = /no (queue|exchange) '(.*)' in vhost '/s.exec(text);
  const what = found ? (found[1] as 'queue' | 'exchange') : asked.what === 'exchange' ? 'exchange' : 'queue';
  return new TopologyMissingError(what, found?.[2] ?? asked.name, asked.declaredBy);
}

// "inequivalent arg 'x-max-length' for queue 'q' in vhost '/': received the value '5' of type 'signedint' but current is none"
const INEQUIVALENT =
  /inequivalent arg '([^']+)' for (queue|exchange) '(.*)' in vhost '.*': received (.+?) but current is (.+?)"?$/s;

function mismatch(text: string, asked: Asked, cause: unknown): Error {
  const found = INEQUIVALENT.exec(text.trim());
  if (!found) return refused(text, asked, 'check the options of this handler', cause);
  const [, argument, what, name, ...sides] = found;
  let [wanted, current] = sides.map(value);
  if (wanted === current) {
    // RabbitMQ prints numbers and strings alike, but accepts only one of the two when it creates a queue.
    const text = typeof asked.arguments?.[argument] === 'string';
    [wanted, current] = text
      ? [`${wanted} (a string)`, `${current} (a number)`]
      : [`${wanted} (a number)`, `${current} (a string)`];
  }
  return new TopologyMismatchError({
    what: what as 'queue' | 'exchange',
    name,
    argument,
    wanted,
    current,
    declaredBy: asked.declaredBy,
  });
}

// "the value '5' of type 'signedint'" -> '5'; "none" -> none
function value(text: string): string {
  const found = /^(?:the value )?('[^']*')/.exec(text.trim());
  return found ? found[1] : text.trim().replace(/"$/, '');
}

function brief(text: string): string {
  return text.replace(/^.*with message "?/s, '').replace(/"$/, '');
}
