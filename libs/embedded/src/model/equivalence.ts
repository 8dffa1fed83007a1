// A queue or exchange declared again must be declared alike. Compares as RabbitMQ does and says what differs in its
// words, one difference at a time.
import type { Field, Table } from '../wire/field-table.js';
import { canonicalValue } from './canonical.js';
import { precondition } from './failure.js';

/** Throws a 406 failure when a flag or type was declared otherwise. */
export function assertSame(
  what: string,
  thing: string,
  received: string | boolean,
  current: string | boolean,
): void {
  if (received === current) return;
  throw precondition(
    `inequivalent arg '${what}' for ${thing}: received '${String(received)}' but current is '${String(current)}'`,
  );
}

/** Throws a 406 failure for the first of the named arguments that differs. */
export function assertSameArguments(
  thing: string,
  names: readonly string[],
  received: Table,
  current: Table,
): void {
  for (const name of names) {
    const wanted = received.get(name);
    const there = current.get(name);
    if (canonicalOf(wanted) === canonicalOf(there)) continue;
    throw precondition(
      `inequivalent arg '${name}' for ${thing}: received ${described(wanted)} but current is ${described(there)}`,
    );
  }
}

function canonicalOf(field: Field | undefined): string {
  return field ? canonicalValue(field) : '';
}

function described(field: Field | undefined): string {
  if (!field) return 'none';
  const value = Buffer.isBuffer(field.value) ? field.value.toString('utf8') : String(field.value);
  return `the value '${value}' of type '${field.type}'`;
}
