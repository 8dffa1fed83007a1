// JavaScript can throw anything: a string, undefined, an error with an object as its message, a Proxy that throws
// when it is read. Each must become a counted failure with readable facts.

import { className, isError } from './errors.js';
import { describeError, type Log, printable } from '../runtime/logger.js';
import type { LogFields } from '../runtime/log-events.js';

// The AMQP reply code in the text with which the broker closes a channel or a connection, and hints for refusals that
// a retry would not change.

/** `406 (PRECONDITION-FAILED) with message "..."`: a number counts only together with its name. */
const CODE = /\b(\d{3}) \([A-Z][A-Z_-]+\)/;

/** The reply code in an error text of the client library; undefined when there is none. */
export function replyCodeIn(text: string): number | undefined {
  const found = CODE.exec(text);
  return found ? Number(found[1]) : undefined;
}

/** The end of a declaration error, followed by a reason, when the broker did not refuse the declaration itself. */
export const CHANNEL_LOST = ' when its channel was lost: ';

/** A hint for a permanent refusal by the broker; undefined when trying again may help. */
export function hintFor(text: string): string | undefined {
  if (/unknown exchange type/.test(text)) {
    return 'enable the plugin that has this type of exchange (rabbitmq-plugins enable), or use another type';
  }
  const feature = /Feature `?([\w-]+)`? is deprecated/.exec(text)?.[1];
  if (feature) {
    return `the broker does not permit this deprecated feature: declare without it, or permit it in rabbitmq.conf (deprecated_features.permit.${feature} = true)`;
  }
  const code = replyCodeIn(text);
  return code === 503 || code === 540 ? 'the broker lacks a plugin or feature for this' : undefined;
}

/** A thrown value, as text. Every field is set. */
export interface ThrownFacts {
  readonly name: string;
  readonly message: string;
  /** Empty when there is none. */
  readonly stack: string;
}

/** The thrown value itself, or an error in its place when even reading its class throws. */
export function approachable(thrown: unknown): unknown {
  try {
    void (thrown instanceof Error);
    return thrown;
  } catch {
    return new Error('a value that cannot be inspected was thrown');
  }
}

/** The facts of a readable value. Never throws. */
export function thrownFacts(thrown: unknown): ThrownFacts {
  if (!isError(thrown)) return { name: typeof thrown, message: describeError(thrown), stack: '' };
  return {
    name: className(thrown),
    message: textOf(() => thrown.message),
    stack: stackOf(thrown),
  };
}

/** The class of what was thrown; what kind of value it is when it is no error. Never throws. */
export function thrownName(thrown: unknown): string {
  const error = approachable(thrown);
  return isError(error) ? className(error) : typeof error;
}

/** What a thrown value is, as fields of a log line: class, message and code. Never throws. */
export function errorFields(thrown: unknown): Pick<LogFields, 'error' | 'errorMessage' | 'errorCode'> {
  const { name, message } = thrownFacts(approachable(thrown));
  return { error: printable(name, 200), errorMessage: printable(message), errorCode: codeOf(thrown) };
}

/** The code of an error, if it has one. Never throws. */
export function codeOf(thrown: unknown): string | number | undefined {
  const code = read(() => ((thrown ?? {}) as { code?: unknown }).code);
  return typeof code === 'string' || typeof code === 'number' ? code : undefined;
}

/** A stack must not fill the log. */
const MOST_FRAMES = 60;

/**
 * The stack of an error and of its causes, for a log: the first lines are made safe, and only frames follow, so that no
 * text of a message can look like another line of the log. Undefined when there are no frames. Never throws.
 */
export function stackText(thrown: unknown): string | undefined {
  const error = approachable(thrown);
  const lines = thrownFacts(error).stack.split('\n').slice(1);
  const safe = lines.filter((line) => /^\s+at |^caused by /.test(line)).slice(0, MOST_FRAMES);
  if (!safe.some((line) => /^\s+at /.test(line))) return undefined;
  return [describeError(error), ...safe].map((line) => printable(line)).join('\n');
}

/** So many causes behind an error are told. */
const CAUSES = 5;

function stackOf(error: Error): string {
  const stacks = [ownStack(error)];
  let cause = read(() => error.cause);
  // A cause may refer to itself.
  while (read(() => isError(cause)) === true && stacks.length <= CAUSES) {
    const present = cause as Error;
    stacks.push(ownStack(present));
    cause = read(() => present.cause);
  }
  return stacks.join('\ncaused by ');
}

/** V8 begins it with the `name`, which most classes leave at "Error". */
function ownStack(error: Error): string {
  return textOf(() => error.stack).replace(/^Error(?=:|\n|$)/, () => className(error));
}

/** Describes a thrown value that is not an error, for a reader without access to the log. Never throws. */
export function thrownValue(thrown: unknown): {
  name: string;
  message: string;
  data?: Record<string, unknown>;
} {
  const name = thrown === null ? 'null' : typeof thrown;
  if (typeof thrown === 'string') return { name, message: thrown };
  if (typeof thrown !== 'object' || thrown === null)
    return { name, message: `the handler threw ${describeError(thrown)}` };
  const message = read(() => (thrown as { message?: unknown }).message);
  const data = ownFields(thrown, (key) => key === '__proto__');
  const isEmpty = Object.keys(data).length === 0;
  return {
    name,
    message:
      typeof message === 'string'
        ? message
        : `the handler threw an object without a message${isEmpty ? '' : ': see its data'}`,
    ...(isEmpty ? {} : { data }),
  };
}

/** Own fields that can be sent as JSON. A field that cannot does not affect the others. */
export function ownFields(from: object, isLeftOut: (key: string) => boolean): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const key of (read(() => Object.keys(from)) ?? []) as string[]) {
    const value = read(() => (from as Record<string, unknown>)[key]);
    if (!isLeftOut(key) && travels(value)) fields[key] = value;
  }
  return fields;
}

function travels(value: unknown): boolean {
  try {
    return JSON.stringify(value) !== undefined;
  } catch {
    return false;
  }
}

function read(get: () => unknown): unknown {
  try {
    return approachable(get());
  } catch {
    return undefined;
  }
}

// Usually a string; an object in its place is shown as JSON.
function textOf(get: () => unknown): string {
  const value = read(get);
  if (typeof value === 'string') return value;
  return value === undefined ? '' : describeError(value);
}

const logged = new WeakSet<object>();

/** One line before the process may end, once for each error: the application and its framework both may say it. */
export function logStartFailure(logger: Log, error: unknown): void {
  if (typeof error === 'object' && error !== null) {
    if (logged.has(error)) return;
    logged.add(error);
  }
  logger.error(`the start failed: ${printable(describeError(error))}`, {
    event: 'start-failed',
    ...errorFields(error),
  });
}
