// Whether something is an error, also one of another realm: jest runs tests in a context of their own, where errors of
// Node itself (of `fs`, of an AbortSignal) are no instances of `Error`.

import { types } from 'node:util';

/** Has class, message and stack of its own. Throws for a Proxy that throws when it is looked at. */
export function isError(value: unknown): value is Error {
  if (value instanceof Error || types.isNativeError(value)) return true;
  return typeof value === 'object' && Object.prototype.toString.call(value) === '[object DOMException]';
}
