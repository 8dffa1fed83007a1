// What is being handled where somebody asks: known to whatever a handler calls, without passing it along.

import { AsyncLocalStorage } from 'node:async_hooks';
import { isDeepStrictEqual } from 'node:util';
import { type Delivery, publicId } from './delivery.js';
import { HEADER, writable } from './headers.js';
import type { Headers } from './message.js';
import { outgoingHeaders } from './outgoing.js';

/** A delivery, or all those of a batch. */
export type Handled = Delivery | readonly Delivery[];

/** What is being handled. Its store is undefined outside of handlers. */
export const currentDelivery = new AsyncLocalStorage<Handled>();

/** What a message that is sent while another one is handled takes over from it. */
export interface Inheritance {
  /** The id of the first message of the chain, or what its sender chose. */
  readonly correlationId: string | undefined;
  /** The id of the message that is handled; undefined when that is the correlation id. */
  readonly causationId: string | undefined;
  /** Headers by name. */
  readonly headers: Readonly<Record<string, unknown>>;
}

/** What is taken over. */
export interface InheritanceRules {
  /** Whether messages say which one caused them. */
  readonly correlation: boolean;
  /** Names of headers. */
  readonly propagate: readonly string[];
}

const NO_HEADERS: Headers = Object.freeze({});

/** What a message takes over that is sent while `handled` is being handled. From a batch: what all of it agree on. */
export function inheritance(handled: Handled, rules: InheritanceRules): Inheritance {
  if (!isBatch(handled)) return inheritedFrom(handled, rules);
  return handled.map((delivery) => inheritedFrom(delivery, rules)).reduce(agreed);
}

function inheritedFrom(delivery: Delivery, { correlation, propagate }: InheritanceRules): Inheritance {
  const headers = propagate.length === 0 ? NO_HEADERS : taken(delivery.headers, propagate);
  if (!correlation) return { correlationId: undefined, causationId: undefined, headers };
  const { correlationId } = delivery;
  const id = publicId(delivery);
  return { correlationId, causationId: id === correlationId ? undefined : id, headers };
}

/** Larger ones would fill the frames of all messages that it causes, in bytes. */
const LARGEST = 1_024;

function taken(from: Headers, names: readonly string[]): Record<string, unknown> {
  const headers: Record<string, unknown> = {};
  for (const name of names) {
    const value = from[name];
    const fits = typeof value === 'string' ? Buffer.byteLength(value) <= LARGEST : typeof value !== 'object';
    if (value !== undefined && fits) headers[name] = writable(value);
  }
  return headers;
}

/** The headers of a message: its own, checked, which win, and what it takes over. */
export function inheritedHeaders(
  { correlationId, causationId, headers }: Inheritance,
  own: Headers | undefined,
  isRequest = false,
): Record<string, unknown> {
  const all: Record<string, unknown> = { ...headers };
  if (causationId !== undefined) all[HEADER.causation] = causationId;
  if (isRequest && correlationId !== undefined) all[HEADER.correlation] = correlationId;
  return own === undefined ? all : Object.assign(all, outgoingHeaders(own));
}

function agreed(one: Inheritance, other: Inheritance): Inheritance {
  const same = <T>(mine: T, its: T): T | undefined => (mine === its ? mine : undefined);
  return {
    correlationId: same(one.correlationId, other.correlationId),
    causationId: same(one.causationId, other.causationId),
    headers: Object.fromEntries(
      Object.entries(one.headers).filter(([name, value]) => isDeepStrictEqual(other.headers[name], value)),
    ),
  };
}

/** Whether it is a batch. */
export function isBatch(handled: Handled): handled is readonly Delivery[] {
  return Array.isArray(handled);
}
