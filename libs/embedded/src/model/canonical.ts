// Field values as comparable text. RabbitMQ compares header values as Erlang terms: 5 is 5 as a byte, a long, a
// timestamp and, until 4.0, a double, but never the text '5'; inside arrays and tables the wire type counts as well.
import type { Field, Table } from '../wire/field-table.js';

// To Erlang an empty array and an empty table are the same empty list.
const EMPTY = 'e';

/** Equal text means equal value; with `typed`, a whole number and a fraction are never equal. */
export function canonicalValue(field: Field, typed = false): string {
  switch (field.type) {
    case 'longstr':
      return `s${field.value}`;
    case 'binary':
      return `s${field.value.toString('utf8')}`;
    case 'bool':
      return field.value ? 't' : 'f';
    case 'void':
      return 'v';
    case 'decimal':
      return `d${field.value}`;
    case 'array':
      return field.value.length === 0 ? EMPTY : `a${JSON.stringify(field.value.map(canonicalTyped))}`;
    case 'table':
      return field.value.size === 0 ? EMPTY : `m${canonicalTable(field.value)}`;
    default:
      // -0 and 0 are one number, and 2^53+1 as a 64 bit integer must not round to its neighbour.
      return `${typed && isFraction(field) ? 'r' : 'n'}${typeof field.value === 'bigint' ? field.value : Object.is(field.value, -0) ? 0 : field.value}`;
  }
}

function isFraction({ type }: Field): boolean {
  return type === 'float' || type === 'double';
}

/** The same for the header of a message, in which RabbitMQ since 4.0 counts milliseconds where the wire has seconds. */
export function canonicalHeader(field: Field, typed: boolean): string {
  if (!typed || field.type !== 'timestamp') return canonicalValue(field, typed);
  return canonicalValue({ type: 'timestamp', value: BigInt(field.value) * 1000n }, typed);
}

function canonicalTyped(field: Field): string {
  return `${field.type}:${canonicalValue(field)}`;
}

/** The same text for the same names and values in any order. */
export function canonicalTable(table: Table): string {
  const entries = [...table].map(([name, field]) => [name, canonicalTyped(field)]);
  return JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
