// Where log lines go. The Nest module passes Nest's Logger; without Nest they go to the console.

import type { Clock } from './clock.js';
import { className, isError } from '../errors/errors.js';
import type { LogFields } from './log-events.js';

// Limits repeated log lines: a failure that could write thousands of lines writes the first ones, and later the
// number of omitted ones.

const LINES = 20;
const PERIOD = 10_000;

/** Lets a number of lines through per period. */
export class LogLimiter {
  private since = -Infinity;
  private written = 0;
  private leftOut = 0;

  constructor(private readonly clock: Clock) {}

  say(write: (line: string) => void, line: string): void {
    const now = this.clock.monotonic();
    if (now - this.since >= PERIOD) {
      if (this.leftOut > 0) write(`${this.leftOut} lines like the next one were omitted`);
      [this.since, this.written, this.leftOut] = [now, 0, 0];
    }
    if (this.written++ < LINES) write(line);
    else this.leftOut++;
  }
}

// How objects that hold passwords are printed: by console.log, in a failed assertion, or by a structured logger that
// walks through every object.

const CUSTOM = Symbol.for('nodejs.util.inspect.custom');

type Inspect = (value: unknown, options?: object) => string;

/** Objects of the class print as their name with these facts, in `util.inspect` and as JSON, and nothing else. */
export function printsAs<T extends object>(
  type: { readonly name: string; readonly prototype: T },
  facts: (of: T) => object,
): void {
  const inspected = function (this: T, _depth: number, options: object, inspect: Inspect): string {
    return `${type.name} ${inspect(facts(this), options)}`;
  };
  const asJson = function (this: T): object {
    return facts(this);
  };
  Object.defineProperty(type.prototype, CUSTOM, { value: inspected });
  Object.defineProperty(type.prototype, 'toJSON', { value: asJson });
}

/** The object with properties that can be read by name, but are not printed, spread or serialized. */
export function hiding<T extends object>(object: T, names: readonly (keyof T)[]): T {
  for (const name of names) Object.defineProperty(object, name, { enumerable: false });
  return object;
}

/** Where lines go. Each has its text, and the same as fields; with Nest, `nestLogger` makes one of a LoggerService. */
export interface BrokerLogger {
  /** What happens as it should: connected, consuming, closed. */
  log(message: string, fields?: LogFields): void;
  /** What somebody should look at, while work goes on. */
  warn(message: string, fields?: LogFields): void;
  /** What has failed. */
  error(message: string, fields?: LogFields): void;
  /** Details; left out when there is no such function. */
  debug?(message: string, fields?: LogFields): void;
}

/** The same inside the library, where every line has a name. */
export interface Log {
  log(message: string, fields: LogFields): void;
  warn(message: string, fields: LogFields): void;
  error(message: string, fields: LogFields): void;
  debug?(message: string, fields: LogFields): void;
}

/** Writes nothing: for tests, and for applications that use events instead. */
export const SILENT: BrokerLogger = { log() {}, warn() {}, error() {} };

const onConsole =
  (stream: () => NodeJS.WriteStream, mark: string) =>
  (message: string, fields?: LogFields): void => {
    const stack = fields?.stack === undefined ? '' : `${fields.stack}\n`;
    stream().write(`[warren] ${mark}${message}\n${stack}`);
  };

/** Standard output and standard error, one line each; a stack follows its line. */
export const CONSOLE: BrokerLogger = {
  log: onConsole(() => process.stdout, ''),
  warn: onConsole(() => process.stderr, 'WARN '),
  error: onConsole(() => process.stderr, 'ERROR '),
};

/** A logger whose errors are ignored: a failed log line must not end a connection or miss a deadline. */
export function guarded(logger: BrokerLogger): BrokerLogger {
  const write =
    (level: keyof BrokerLogger) =>
    (message: string, fields?: LogFields): void => {
      try {
        // The method may be asynchronous, and an unhandled rejection would end the process.
        const result: unknown = logger[level]?.(message, fields);
        if (result instanceof Promise) result.catch(() => undefined);
      } catch {
        // There is no other place to report it.
      }
    };
  const debug = logger.debug === undefined ? {} : { debug: write('debug') };
  return { log: write('log'), warn: write('warn'), error: write('error'), ...debug };
}

// Control characters, bidirectional and joining marks, line separators, lone surrogates, and invisible characters.
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

/**
 * Untrusted text without control or invisible characters: each is written as `\x0a` or `\u{202e}`. Used wherever text
 * of a message is logged or printed.
 */
export function visible(text: unknown): string {
  return String(text).replace(UNSEEN, (character) => {
    const code = (character.codePointAt(0) ?? 0).toString(16);
    return code.length > 2 ? `\\u{${code}}` : `\\x${code.padStart(2, '0')}`;
  });
}

/** The same for one log line: at most `most` characters, 1000 by default. */
export function printable(text: unknown, most = 1_000): string {
  // Cut first, so that only the visible part is escaped.
  const shown = visible(String(text).slice(0, most + 1));
  return shown.length > most ? `${shown.slice(0, most - 1)}…` : shown;
}

/** Class and message of a thrown value, even if it is not an Error or throws when it is read. */
export function describeError(error: unknown): string {
  try {
    if (isError(error)) return `${className(error)}: ${withHint(error)}`;
    // A string even when toJSON returns undefined.
    return String(typeof error === 'object' && error !== null ? JSON.stringify(error) : error);
  } catch {
    return 'an error that cannot be printed';
  }
}

/** A message that is too long for a line is cut before its hint, which must stay readable. */
function withHint(error: Error): string {
  const { message, hint } = error as Error & { readonly hint?: unknown };
  const end = typeof hint === 'string' && hint !== '' ? ` (${hint})` : '';
  if (end === '' || message.length <= LINE || !message.endsWith(end) || end.length > LINE / 2) return message;
  return `${message.slice(0, LINE - end.length)}…${end}`;
}

/** The length that `printable` leaves of a line, minus space for the name of an error. */
const LINE = 900;
