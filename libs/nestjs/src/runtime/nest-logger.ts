// Log lines as Nest's loggers want them: one text for people, and the same as fields for loggers that write JSON. Loggers
// take fields in different ways, so the form depends on the logger; docs/logging.md has the table.

import { ConsoleLogger, Logger, type LoggerService } from '@nestjs/common';
import type { BrokerLogger, LogFields, LogLevel } from '@warren/amqp';
import { loggerBehind, takesParams, writesJson } from './nest-internals.js';

/**
 * How a logger gets the fields of a line:
 *
 * - `text`: not at all. A stack is the second argument of `error`, below the text elsewhere.
 * - `params`: as an object after the text, as Nest 12's `ConsoleLogger` takes them.
 * - `message`: as one object with `message`, as winston and Nest 11's `ConsoleLogger` in JSON mode take them.
 * - `pino`: as an object before the text.
 */
export type LogForm = 'text' | 'params' | 'message' | 'pino';

type Write = (message: unknown, ...more: unknown[]) => void;

/**
 * A logger of Nest for the option `logger`. Without a form it is found anew for each line, since `app.useLogger` may
 * change the logger at any time: fields for Nest's console in JSON mode, nestjs-pino and nest-winston, text for others.
 *
 * ```ts
 * RabbitModule.forRoot({ logger: nestLogger(new MyLogger(), 'message') })
 * ```
 */
export function nestLogger(logger: LoggerService, form?: LogForm): BrokerLogger {
  const level =
    (name: LogLevel) =>
    (text: string, fields?: LogFields): void => {
      const write = logger[name]?.bind(logger) as Write | undefined;
      if (write) FORMS[form ?? formOf(logger)](write, name, text, fields);
    };
  return { log: level('log'), warn: level('warn'), error: level('error'), debug: level('debug') };
}

/** Whether a logger is one of Nest's or of its usual integrations, which `nestLogger` can tell apart. */
export function isNestLogger(logger: unknown): logger is LoggerService {
  if (logger instanceof Logger || logger instanceof ConsoleLogger) return true;
  return typeof logger === 'object' && logger !== null && (isPino(logger) || isWinston(logger));
}

function formOf(logger: LoggerService): LogForm {
  const target = loggerBehind(logger);
  if (typeof target !== 'object' || target === null) return 'text';
  if (isPino(target)) return 'pino';
  if (isWinston(target)) return 'message';
  if (!(target instanceof ConsoleLogger) || !writesJson(target)) return 'text';
  return takesParams(target) ? 'params' : 'message';
}

// Neither package is a dependency: what their classes have tells them.
function isPino(logger: object): boolean {
  const { logger: inner } = logger as { logger?: { assign?: unknown; logger?: { child?: unknown } } };
  return typeof inner?.assign === 'function' && typeof inner.logger?.child === 'function';
}

function isWinston(logger: object): boolean {
  const { logger: inner } = logger as { logger?: { transports?: unknown; isLevelEnabled?: unknown } };
  return typeof inner?.transports === 'object' && typeof inner.isLevelEnabled === 'function';
}

type Form = (write: Write, level: LogLevel, text: string, fields: LogFields | undefined) => void;

const FORMS: Record<LogForm, Form> = {
  text(write, level, text, { stack } = { event: 'connected' }) {
    if (stack === undefined) write(text);
    else if (level === 'error') write(text, stack);
    else write(`${text}\n${stack}`);
  },
  params(write, level, text, fields) {
    const { stack, ...rest } = present(fields);
    if (level === 'error') write(text, stack, rest);
    else write(text, present(fields));
  },
  message(write, _level, text, fields) {
    // nest-winston would write an array around a stack that it got as an argument, and around none.
    write({ message: text, stack: undefined, ...present(fields) });
  },
  pino(write, _level, text, fields) {
    const { stack, ...rest } = present(fields);
    write(stack === undefined ? rest : { ...rest, err: errorLike(rest, stack) }, text);
  },
};

/** What pino's serializer of errors takes for one; it reads the class from `name` when there is no constructor. */
function errorLike({ error, errorMessage }: Record<string, unknown>, stack: unknown): object {
  const facts = { name: error, message: errorMessage, stack, constructor: undefined };
  const properties = Object.entries(facts).map(([name, value]) => [name, { value }] as const);
  return Object.create(Error.prototype, Object.fromEntries(properties)) as object;
}

/** Without fields that have no value, which some loggers would write as null. */
function present(fields: LogFields | undefined): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields ?? {}).filter(([, value]) => value !== undefined));
}
