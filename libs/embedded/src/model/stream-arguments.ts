// What the arguments of a stream and of its consumers mean: ages, the place to begin at, filters.
import type { Field, Table } from '../wire/field-table.js';
import { fromField } from '../wire/plain.js';
import { called, precondition } from './failure.js';
import type { Message } from './message.js';

/** Where a consumer begins: a word, an offset, a time of the wall clock in seconds, or how many seconds ago. */
export type StartingPoint =
  | 'first'
  | 'last'
  | 'next'
  | { readonly offset: number }
  | { readonly seconds: number }
  | { readonly ago: number };

export interface StreamReading {
  readonly from: StartingPoint;
  /** False for what its filter leaves out. */
  readonly wants: (message: Message) => boolean;
}

const DAY = 86_400;
const UNITS: Readonly<Record<string, number>> = { Y: 365 * DAY, M: 30 * DAY, D: DAY, h: 3600, m: 60, s: 1 };

/** `7D` as seconds; undefined for what is no age. */
export function ageInSeconds(text: string): number | undefined {
  const [, number, unit] = /^([0-9]+)([YMDhms])$/.exec(text) ?? [];
  return Number(number) > 0 ? Number(number) * UNITS[unit] : undefined;
}

/** Reads the arguments of basic.consume. Throws 406 for an offset that is none, and for a priority. */
export function streamReading(queue: string, vhost: string, table: Table, filters: boolean): StreamReading {
  const where = called('queue', queue, vhost);
  if (table.has('x-priority')) {
    throw precondition(`invalid arg 'x-priority' for ${where} of queue type rabbit_stream_queue`);
  }
  return {
    from: startingPoint(table.get('x-stream-offset'), where),
    wants: filters ? filter(table) : () => true,
  };
}

function startingPoint(field: Field | undefined, where: string): StartingPoint {
  if (!field) return 'next';
  if (field.type === 'timestamp') return { seconds: Number(field.value) };
  if (field.type === 'longstr') {
    if (field.value === 'first' || field.value === 'last' || field.value === 'next') return field.value;
    const age = ageInSeconds(field.value);
    if (age !== undefined) return { ago: age };
  } else if (typeof field.value !== 'object' && typeof field.value !== 'boolean') {
    if (Number.isInteger(Number(field.value))) return { offset: Number(field.value) };
  }
  const value = field.type === 'longstr' ? `<<${JSON.stringify(field.value)}>>` : printed(field);
  const wrong = `{invalid_stream_offset_arg,{${field.type},${value === '<<"">>' ? '<<>>' : value}}}`;
  throw precondition(`invalid arg 'x-stream-offset' for ${where}: ${wrong}`);
}

/** The filter of a consumer: one value or several, and perhaps also what has none. */
function filter(table: Table): (message: Message) => boolean {
  const field = table.get('x-stream-filter');
  const fields = field?.type === 'array' ? field.value : field ? [field] : [];
  const values = new Set(fields.flatMap((each) => (each.type === 'longstr' ? [each.value] : [])));
  if (values.size === 0) return () => true;
  const unfiltered = table.get('x-stream-match-unfiltered')?.value === true;
  return ({ headers }) => {
    const value = headers.get('x-stream-filter-value');
    return value?.type === 'longstr' ? values.has(value.value) : unfiltered;
  };
}

const printed = (field: Field): string =>
  typeof field.value === 'object' ? JSON.stringify(fromField(field)) : String(field.value);
