// Plain JavaScript in and out of field tables: for server properties on the way out, for inspect() on the way in.
import type { Field, Table } from './field-table.js';

/** What a table looks like to somebody who does not care about wire types. */
export type Plain = string | number | boolean | null | readonly Plain[] | { readonly [name: string]: Plain };

/** Strings, booleans, numbers (as 64 bit integers or doubles), null, arrays and objects become fields. */
export function toField(value: Plain): Field {
  if (value === null) return { type: 'void', value: null };
  if (typeof value === 'string') return { type: 'longstr', value };
  if (typeof value === 'boolean') return { type: 'bool', value };
  if (typeof value === 'number') {
    return Number.isInteger(value) ? { type: 'long', value } : { type: 'double', value };
  }
  if (Array.isArray(value)) return { type: 'array', value: (value as readonly Plain[]).map(toField) };
  return { type: 'table', value: toTable(value as { readonly [name: string]: Plain }) };
}

export function toTable(object: { readonly [name: string]: Plain }): Table {
  return new Map(Object.entries(object).map(([name, value]) => [name, toField(value)]));
}

/** Integers beyond 2^53 lose precision, bytes become text. */
export function fromField(field: Field): Plain {
  switch (field.type) {
    case 'longstr':
    case 'bool':
    case 'void':
    case 'decimal':
      return field.value;
    case 'binary':
      return field.value.toString('utf8');
    case 'array':
      return field.value.map(fromField);
    case 'table':
      return fromTable(field.value);
    default:
      return Number(field.value);
  }
}

export function fromTable(table: Table): { readonly [name: string]: Plain } {
  return Object.fromEntries([...table].map(([name, field]) => [name, fromField(field)]));
}

/** A value as it appears in an error text. */
export function shownField(field: Field): string {
  const plain = fromField(field);
  return typeof plain === 'string' ? plain : JSON.stringify(plain);
}
