// A queue or exchange declared again must be declared alike. Compares as RabbitMQ does and says what differs in its
// words, one difference at a time.
import type { Field, Table } from '../wire/field-table.js';
import { shownField } from '../wire/plain.js';
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
    if (canonicalOf(name, wanted) === canonicalOf(name, there)) continue;
    const [said, is] =
      wanted && there ? [quoted(wanted), quoted(there)] : [described(wanted), described(there)];
    throw precondition(`inequivalent arg '${name}' for ${thing}: received ${said} but current is ${is}`);
  }
}

function canonicalOf(name: string, field: Field | undefined): string {
  // Saying that a queue is classic and not saying it are the same.
  if (!field || (name === 'x-queue-type' && field.value === 'classic')) return '';
  return canonicalValue(field);
}

function quoted(field: Field): string {
  return `'${shownField(field)}'`;
}

function described(field: Field | undefined): string {
  return field ? `the value ${quoted(field)} of type '${field.type}'` : 'none';
}
