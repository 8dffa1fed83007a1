// Parses the arguments of `warren dead ...`. A command refuses options that it does not use, so that no option is
// silently ignored.

import { type DeadLetterFilter, DeadLetters, type Duration } from '@warren/amqp';
import { parseArgs } from 'node:util';

/** Wrong arguments. */
export class UsageError extends Error {}

/** The parsed arguments of a command. */
export interface Arguments {
  readonly deadLetters: DeadLetters;
  readonly queues: readonly string[];
  readonly filter: DeadLetterFilter;
  readonly limit: number | undefined;
  readonly batch: number | undefined;
  readonly to: string | undefined;
  readonly save: string | undefined;
  readonly yes: boolean;
  readonly json: boolean;
  readonly management: boolean;
}

/** The commands of `warren dead`. */
export type Verb = 'list' | 'show' | 'replay' | 'drop';

const text = { type: 'string' } as const;
const flag = { type: 'boolean', default: false } as const;
const OPTIONS = {
  url: text,
  management: text,
  error: text,
  handler: text,
  id: { type: 'string', multiple: true },
  older: text,
  newer: text,
  limit: text,
  batch: text,
  to: text,
  save: text,
  yes: flag,
  exact: flag,
  json: flag,
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** Options of single commands. */
const ONLY: Readonly<Record<string, readonly Verb[]>> = {
  management: ['list'],
  batch: ['replay', 'drop'],
  to: ['replay'],
  save: ['show', 'drop'],
  yes: ['drop'],
};

/** @throws UsageError */
export function parse(
  verb: Verb,
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Arguments | 'help' {
  const { values, positionals } = read(args);
  if (values.help) return 'help';
  for (const [name, verbs] of Object.entries(ONLY)) {
    const value = values[name as keyof typeof values];
    if (value !== undefined && value !== false && !verbs.includes(verb)) {
      throw new UsageError(`'dead ${verb}' has no option --${name}`);
    }
  }
  if (verb !== 'list' && positionals.length !== 1)
    throw new UsageError(`'dead ${verb}' requires the name of one queue`);
  const management = values.management ?? (environment.RABBITMQ_MANAGEMENT_URL || undefined);
  const url = values.url ?? (environment.RABBITMQ_URL || undefined);
  return {
    deadLetters: new DeadLetters({
      exact: values.exact,
      ...(url !== undefined && { url }),
      ...(management !== undefined && { management }),
    }),
    queues: positionals,
    filter: {
      ...(values.error !== undefined && { error: values.error }),
      ...(values.handler !== undefined && { handler: values.handler }),
      ...(values.id !== undefined && { id: values.id }),
      ...(values.older !== undefined && { olderThan: duration('--older', values.older) }),
      ...(values.newer !== undefined && { newerThan: duration('--newer', values.newer) }),
    },
    limit: whole('--limit', values.limit),
    batch: whole('--batch', values.batch),
    to: values.to,
    save: values.save,
    yes: values.yes,
    json: values.json,
    management: management !== undefined,
  };
}

function read(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** @throws UsageError */
export function whole(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^[1-9][0-9]{0,14}$/.test(value)) return Number(value);
  throw new UsageError(`${name} must be a positive integer`);
}

/** @throws UsageError */
export function duration(name: string, value: string): Duration {
  if (/^\d+(\.\d+)?(ms|s|m|h|d)$/.test(value)) return value as Duration;
  throw new UsageError(`${name} must be a duration, such as 90s, 30m, 2h or 7d`);
}
