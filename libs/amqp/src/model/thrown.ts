// JavaScript can throw anything: text, nothing, an error with an object for a message, a Proxy that throws
// when it is looked at. Whatever it is must end as a counted failure with readable facts.

import { describeError } from './logger.js';

/** What was thrown, as text. Every field is there. */
export interface ThrownFacts {
  readonly name: string;
  readonly message: string;
  /** Empty when there is none. */
  readonly stack: string;
}

/** The thrown value itself, or an error in its place when even asking for its class throws. */
export function approachable(thrown: unknown): unknown {
  try {
    void (thrown instanceof Error);
    return thrown;
  } catch {
    return new Error('something was thrown that cannot be looked at');
  }
}

/** Facts of something approachable. Never throws. */
export function thrownFacts(thrown: unknown): ThrownFacts {
  if (!(thrown instanceof Error)) return { name: typeof thrown, message: describeError(thrown), stack: '' };
  const cause = read(() => thrown.cause);
  const from = cause instanceof Error ? `\ncaused by ${textOf(() => cause.stack)}` : '';
  return {
    name: className(thrown),
    message: textOf(() => thrown.message),
    stack: `${textOf(() => thrown.stack)}${from}`,
  };
}

function read(get: () => unknown): unknown {
  try {
    return approachable(get());
  } catch {
    return undefined;
  }
}

// Text is the rule; an object in its place is shown as what it holds.
function textOf(get: () => unknown): string {
  const value = read(get);
  if (typeof value === 'string') return value;
  return value === undefined ? '' : describeError(value);
}

// Most error classes never set `name`; their class says more than "Error".
function className(thrown: Error): string {
  const name = textOf(() => thrown.name) || 'Error';
  return name === 'Error' ? textOf(() => thrown.constructor.name) || name : name;
}
