// Headers bindings, found by a header they need: an `all` binding is filed under one of its pairs, an `any` binding
// under each. Only what is filed under a header of the message is looked at, not every binding there is.
import type { Table } from '../wire/field-table.js';
import { shownField } from '../wire/plain.js';
import type { Binding } from './binding.js';
import { canonicalValue } from './canonical.js';
import type { Router } from './exchange.js';
import { precondition } from './failure.js';
import type { Message } from './message.js';

interface Pattern {
  readonly binding: Binding;
  readonly all: boolean;
  /** Wanted header and value; undefined wants the header with any value. */
  readonly pairs: readonly (readonly [string, string | undefined])[];
}

const MATCHES = ['all', 'any', 'all-with-x', 'any-with-x'];

/** Refuses arguments that a headers exchange cannot match by, with 406. */
export function checkHeadersArguments(table: Table): void {
  const match = table.get('x-match');
  if (!match) return;
  if (match.type !== 'longstr') {
    const value = shownField(match);
    throw precondition(`Invalid x-match field type ${match.type} (value ${value}); expected longstr`);
  }
  if (MATCHES.includes(match.value)) return;
  throw precondition(
    `Invalid x-match field value <<"${match.value}">>; expected all, any, all-with-x, or any-with-x`,
  );
}

function pattern(binding: Binding): Pattern {
  const match = binding.arguments.get('x-match');
  const kind = match?.type === 'longstr' ? match.value : 'all';
  const withX = kind.endsWith('-with-x');
  const pairs = [...binding.arguments]
    .filter(([name]) => name !== 'x-match' && (withX || !name.startsWith('x-')))
    .map(([name, field]) => [name, field.type === 'void' ? undefined : canonicalValue(field)] as const);
  return { binding, all: kind.startsWith('all'), pairs };
}

/** Whether the headers satisfy the arguments of a binding. */
function matches(wanted: Pattern, headers: Table): boolean {
  const holds = ([name, value]: readonly [string, string | undefined]): boolean => {
    const field = headers.get(name);
    return field !== undefined && (value === undefined || canonicalValue(field) === value);
  };
  return wanted.all ? wanted.pairs.every(holds) : wanted.pairs.some(holds);
}

export class HeadersIndex implements Router {
  private readonly patterns = new Map<string, Pattern>();
  /** By header name and value; '' + name for "any value of it". */
  private readonly shelves = new Map<string, Set<Pattern>>();
  /** An `all` that asks for nothing takes everything. */
  private readonly everything = new Set<Pattern>();

  add(binding: Binding): void {
    const wanted = pattern(binding);
    this.patterns.set(binding.id, wanted);
    if (wanted.all && wanted.pairs.length === 0) this.everything.add(wanted);
    for (const key of shelfKeys(wanted)) {
      const shelf = this.shelves.get(key);
      if (shelf) shelf.add(wanted);
      else this.shelves.set(key, new Set([wanted]));
    }
  }

  remove(binding: Binding): void {
    const wanted = this.patterns.get(binding.id);
    if (!wanted) return;
    this.patterns.delete(binding.id);
    this.everything.delete(wanted);
    for (const key of shelfKeys(wanted)) {
      const shelf = this.shelves.get(key);
      shelf?.delete(wanted);
      if (shelf?.size === 0) this.shelves.delete(key);
    }
  }

  route(message: Message, found: (binding: Binding) => void): void {
    for (const wanted of this.everything) found(wanted.binding);
    for (const [name, field] of message.headers) {
      for (const key of [shelfKey(name, undefined), shelfKey(name, canonicalValue(field))]) {
        for (const wanted of this.shelves.get(key) ?? []) {
          if (matches(wanted, message.headers)) found(wanted.binding);
        }
      }
    }
  }
}

function shelfKeys(wanted: Pattern): string[] {
  const pairs = wanted.all ? wanted.pairs.slice(0, 1) : wanted.pairs;
  return pairs.map(([name, value]) => shelfKey(name, value));
}

function shelfKey(name: string, value: string | undefined): string {
  return value === undefined ? `?${name}` : `=${name.length}:${name}${value}`;
}
