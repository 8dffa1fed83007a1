// What is wanted of a handler in all instances of a service, as bytes. Whoever may publish to the exchange writes it, so
// every field is checked.

import { parseJson } from '../message/codecs/codecs.js';
import { whole } from '../options/option-checks.js';
import { messagesPerSecond, type Rate } from '../options/rate.js';
import type { EverywhereChange } from './control.js';

/** One change of one handler. Without a handler it changes nothing: it marks the end of what was there. */
export interface Command {
  /** Random. */
  readonly id: string;
  readonly handler?: string;
  readonly change?: EverywhereChange;
}

/** Exchange and stream of a service have the same name. Nothing else is published there. */
export const controlName = (service: string): string => `${service}.fleet.control`;

/** Bytes of a body, and characters of the name of a handler. */
const [MOST_COMMAND, MOST_NAME] = [4_096, 500];

/** What was wanted of a handler. */
export type HandlerChange = Required<Command>;

/** Those of which not every field is in a later one of the same handler, in the same order. */
export function inEffect<T extends HandlerChange>(changes: readonly T[]): T[] {
  const later = new Map<string, Set<string>>();
  const kept: T[] = [];
  for (const each of [...changes].reverse()) {
    const named = later.get(each.handler) ?? new Set();
    const fields = Object.keys(each.change);
    if (fields.some((field) => !named.has(field))) kept.push(each);
    for (const field of fields) named.add(field);
    later.set(each.handler, named);
  }
  return kept.reverse();
}

const ID = /^[0-9a-f]{16}$/;
const NUMBER = whole(1, 65_535);

/** A body. */
export function writeCommand(command: Command): Buffer {
  return Buffer.from(JSON.stringify(command));
}

/** Undefined for what is none. */
export function readCommand(content: Buffer): Command | undefined {
  if (content.length > MOST_COMMAND) return undefined;
  let read: unknown;
  try {
    read = parseJson(content.toString());
  } catch {
    return undefined;
  }
  const { id, handler, change } = objectOf(read);
  if (typeof id !== 'string' || !ID.test(id)) return undefined;
  if (handler === undefined) return { id };
  const wanted = readChange(change);
  if (!isHandlerName(handler) || !wanted) return undefined;
  return { id, handler, change: wanted };
}

/** Whether it can be the name of a handler. */
export function isHandlerName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= MOST_NAME;
}

function readChange(value: unknown): EverywhereChange | undefined {
  const { paused, prefetch, concurrency, rate } = objectOf(value);
  if (paused !== undefined && typeof paused !== 'boolean') return undefined;
  if (prefetch !== undefined && NUMBER(prefetch)) return undefined;
  if (concurrency !== undefined && NUMBER(concurrency)) return undefined;
  if (rate !== undefined && rate !== null && !isRate(rate)) return undefined;
  const all = { paused, prefetch, concurrency, rate };
  const given = Object.entries(all).filter(([, each]) => each !== undefined);
  return given.length === 0 ? undefined : Object.fromEntries(given);
}

function isRate(value: unknown): boolean {
  try {
    messagesPerSecond(value as Rate, 'rate');
    return true;
  } catch {
    return false;
  }
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
