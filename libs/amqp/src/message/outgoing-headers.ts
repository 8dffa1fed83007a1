// Names and headers of outgoing messages, checked before the wire. The client library is told everything in a form
// that it writes as it is meant: by itself it makes an empty table of a Date, and forgets what it does not know.

import { EncodeError } from '../errors/errors.js';
import { tableBytes, TABLE_BYTES, writable } from './header-table.js';
import { describeError, printable } from '../runtime/logger.js';
import type { Headers } from './message.js';

const MAX_DEPTH = 20;

const PLAIN = /^[\x01-\x09\x0b\x0c\x0e-\x7f]{0,255}$/;

/** Names and keys are at most 255 bytes on the wire; longer ones must fail, never be cut. */
export function checkName(what: string, value: unknown): asserts value is string {
  if (typeof value !== 'string')
    throw new EncodeError(`the ${what} must be a string, but is ${kindOf(value)}`, '');
  // Nearly all names: nothing can be wrong with them.
  if (PLAIN.test(value)) return;
  // RabbitMQ leaves them out of the names of queues and exchanges: `a\nb` would be `ab`.
  if (/[\r\n]/.test(value) && /^(queue|exchange)$/.test(what)) {
    throw new EncodeError(
      `the ${what} has a line break in its name: '${printable(value.slice(0, 60))}'`,
      'leave it out',
    );
  }
  if (Buffer.byteLength(value) > 255) {
    throw new EncodeError(`the ${what} is ${Buffer.byteLength(value)} bytes long`, 'AMQP allows 255 bytes');
  }
  if (Buffer.from(value).toString() !== value) {
    throw new EncodeError(`the ${what} contains a lone surrogate (half a character)`, '');
  }
  if (value.includes('\0')) throw new EncodeError(`the ${what} contains a NUL character`, '');
}

/** Headers as the wire takes them; `undefined` entries are left out. @throws EncodeError naming the header */
export function outgoingHeaders(headers: Headers): Record<string, unknown> {
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) {
    throw new EncodeError(`the headers must be an object, but are ${kindOf(headers)}`, '');
  }
  const copy: Record<string, unknown> = {};
  for (const name of Object.keys(headers)) {
    const value = read(name, () => headers[name]);
    if (value === undefined) continue;
    checkKey(name);
    checkCopies(name, value);
    copy[name] = read(name, () => converted(name, value, 0));
  }
  const bytes = tableBytes(copy);
  if (bytes > TABLE_BYTES) {
    const [largest] = Object.keys(copy).sort(
      (a, b) => tableBytes({ b: copy[b] }) - tableBytes({ a: copy[a] }),
    );
    throw new EncodeError(
      `the message cannot be sent: its headers take ${bytes} bytes, of which '${printable(largest)}' takes the most`,
      `at most ${TABLE_BYTES} fit; large things belong into the body`,
    );
  }
  return copy;
}

// A getter may throw anything.
function read<T>(name: string, get: () => T): T {
  try {
    return get();
  } catch (error) {
    if (error instanceof EncodeError) throw error;
    throw new EncodeError(`header '${printable(name)}' cannot be read: ${describeError(error)}`, '', error);
  }
}

function checkKey(name: string): void {
  checkName(`header name '${printable(name.slice(0, 40))}'`, name);
  if (name === '__proto__') {
    throw new EncodeError(
      `a header cannot be called '__proto__'`,
      'it changes objects of those who receive it',
    );
  }
}

// The broker sends copies to what CC and BCC list, and closes the channel when they are no lists of texts.
function checkCopies(name: string, value: unknown): void {
  if (name !== 'CC' && name !== 'BCC') return;
  if (!Array.isArray(value) || !value.every((key) => typeof key === 'string')) {
    throw new EncodeError(
      `header '${name}' must be an array of routing keys`,
      'the broker sends copies to them',
    );
  }
  for (const key of value) checkName(`routing key in header '${name}'`, key);
}

/** A value for the client library. */
function converted(name: string, value: unknown, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new EncodeError(`header '${name}' is nested too deep or circular`, '');
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      if (!Number.isFinite(value))
        throw new EncodeError(`header '${name}' is ${value}, which AMQP cannot carry`, '');
      return writable(value);
    case 'object':
      return value === null ? null : convertedObject(name, value, depth);
    default:
      throw new EncodeError(
        `header '${name}' is or holds ${kindOf(value)}, which AMQP cannot carry`,
        'send a string or a number',
      );
  }
}

function convertedObject(name: string, value: object, depth: number): unknown {
  if (Buffer.isBuffer(value)) return value;
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw new EncodeError(`header '${name}' is an invalid Date`, '');
    return writable(value);
  }
  if (Array.isArray(value)) return value.map((inner) => converted(name, inner, depth + 1));
  if (value instanceof Map || value instanceof Set || value instanceof Promise || value instanceof RegExp) {
    throw new EncodeError(
      `header '${name}' is or holds ${kindOf(value)}, which AMQP cannot carry`,
      'send a plain object or an array',
    );
  }
  const copy: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(value)) {
    if (inner === undefined) continue;
    checkKey(key);
    copy[key] = key === 'value' && Object.hasOwn(value, '!') ? inner : converted(name, inner, depth + 1);
  }
  return copy;
}

/** What a value is, for a sentence. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? `a ${value.constructor?.name ?? 'object'}` : `a ${typeof value}`;
}
