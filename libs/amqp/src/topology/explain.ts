// The broker answers a declaration it does not like by closing the channel with a code and a sentence.
// Here that becomes an error that says who asked, what differs, and what to do.

import { ConfigError, ConnectionLostError, RabbitError } from '../model/errors.js';
import {
  AccessRefusedError,
  QueueLockedError,
  TopologyMismatchError,
  TopologyMissingError,
} from '../model/topology-errors.js';

/** What was being declared when the broker said no. */
export interface Asked {
  readonly what: 'queue' | 'exchange' | 'binding';
  readonly name: string;
  readonly askedBy: string;
}

/** The error of a declaration as one of ours: the broker refused, or the connection went away meanwhile. */
export function explain(error: unknown, asked: Asked): unknown {
  const text = error instanceof Error ? error.message : String(error);
  const code = replyCode(error, text);
  switch (code) {
    case 403:
      return new AccessRefusedError(`${asked.what} '${asked.name}'`, asked.askedBy, error);
    case 404:
      return missing(text, asked);
    case 405:
      return new QueueLockedError(asked.name, error);
    case 406:
      return mismatch(text, asked, error);
    case 503:
    case 540:
      return new ConfigError(
        `${asked.askedBy}: the broker refuses ${asked.what} '${asked.name}': ${brief(text)}`,
        'it lacks a plugin or feature for this',
        error,
      );
    default:
      if (error instanceof RabbitError) return error;
      // Worse sins cost the whole connection, which then says why; who was asking is known here alone.
      return new ConnectionLostError(
        `${asked.askedBy} was declaring ${asked.what} '${asked.name}' when the connection was lost`,
        error,
      );
  }
}

/** The AMQP reply code in an error of the client library, if there is one. */
export function replyCode(
  error: unknown,
  text = error instanceof Error ? error.message : '',
): number | undefined {
  const own = (error as { code?: unknown } | undefined)?.code;
  if (typeof own === 'number') return own;
  const found = /\b(\d{3}) \(/.exec(text);
  return found ? Number(found[1]) : undefined;
}

function missing(text: string, asked: Asked): Error {
  const found = /no (queue|exchange) '(.*?)'(?: in vhost |"|$)/.exec(text);
  const what = found ? (found[1] as 'queue' | 'exchange') : asked.what === 'exchange' ? 'exchange' : 'queue';
  return new TopologyMissingError(what, found?.[2] ?? asked.name, asked.askedBy);
}

// "inequivalent arg 'x-max-length' for queue 'q' in vhost '/': received the value '5' of type 'signedint' but current is none"
const INEQUIVALENT =
  /inequivalent arg '([^']+)' for (queue|exchange) '(.*)' in vhost '.*': received (.+?) but current is (.+?)"?$/s;

function mismatch(text: string, asked: Asked, cause: unknown): Error {
  const found = INEQUIVALENT.exec(text.trim());
  if (!found) {
    return new ConfigError(
      `${asked.askedBy}: the broker refuses ${asked.what} '${asked.name}': ${brief(text)}`,
      'see the options of this handler',
      cause,
    );
  }
  const [, argument, what, name, ...sides] = found;
  // The same text in two types, as of a TTL written as text: then it is the types that differ.
  const [wanted, current] = value(sides[0]) === value(sides[1]) ? sides.map(typed) : sides.map(value);
  return new TopologyMismatchError({
    what: what as 'queue' | 'exchange',
    name,
    argument,
    ...{ wanted, current },
    askedBy: asked.askedBy,
  });
}

// "the value '5' of type 'signedint'" -> '5'; "none" -> none
function value(text: string): string {
  const found = /^(?:the value )?('[^']*')/.exec(text.trim());
  return found ? found[1] : text.trim().replace(/"$/, '');
}

// "the value '5' of type 'signedint'" -> '5' (a number, signedint)
function typed(text: string): string {
  const type = /of type '([^']*)'/.exec(text)?.[1];
  if (type === undefined) return value(text);
  const kind = /str$/.test(type) ? 'text' : type === 'bool' ? 'true or false' : 'a number';
  return `${value(text)} (${kind}, ${type})`;
}

function brief(text: string): string {
  return text.replace(/^.*with message "?/s, '').replace(/"$/, '');
}
