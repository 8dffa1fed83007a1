// Headers bindings, found without looking at those that do not match. An `any` binding is filed under each of its
// pairs. `all` bindings that ask for the same header names make one shape, filed under one of these names; in it they
// are found by the values of all their headers at once, so that ten thousand of them are one look into a map.
import type { Table } from '../wire/field-table.js';
import { shownField } from '../wire/plain.js';
import { canonicalHeader, canonicalValue } from './canonical.js';
import type { Routable, Router } from './router.js';
import { precondition } from './failure.js';
import type { Message } from './message.js';

/** A wanted header and its value as comparable text; undefined wants the header with any value. */
type Pair = readonly [name: string, value: string | undefined];

/** The header names that some `all` bindings ask for, and these bindings by the values they want. */
interface Shape<B> {
  readonly id: string;
  /** The name it is filed under. */
  readonly shelf: string;
  readonly pairs: readonly (readonly [name: string, anyValue: boolean])[];
  readonly byValues: Map<string, Map<string, B>>;
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

function wantedPairs(binding: Routable, typed: boolean): { all: boolean; pairs: Pair[] } {
  const match = binding.arguments.get('x-match');
  const kind = match?.type === 'longstr' ? match.value : 'all';
  const withX = kind.endsWith('-with-x');
  const pairs = [...binding.arguments]
    .filter(([name]) => name !== 'x-match' && (withX || !name.startsWith('x-')))
    .map(([name, field]): Pair => [name, field.type === 'void' ? undefined : canonicalValue(field, typed)])
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return { all: kind.startsWith('all'), pairs };
}

export class HeadersIndex<B extends Routable> implements Router<B> {
  /** `typed`: 5 is not 5.0. */
  constructor(private readonly typed: boolean) {}

  /** `any` bindings by header name and value. */
  private readonly anyOf = new Map<string, Map<string, B>>();
  private readonly shapes = new Map<string, Shape<B>>();
  /** Shapes by the name they are filed under. */
  private readonly shelves = new Map<string, Set<Shape<B>>>();
  /** An `all` that asks for nothing takes everything. */
  private readonly everything = new Map<string, B>();

  add(binding: B): void {
    const { all, pairs } = wantedPairs(binding, this.typed);
    if (!all) for (const pair of pairs) put(this.anyOf, pairKey(pair), binding);
    else if (pairs.length === 0) this.everything.set(binding.id, binding);
    else put(this.shape(pairs).byValues, valuesKey(pairs), binding);
  }

  remove(binding: B): void {
    const { all, pairs } = wantedPairs(binding, this.typed);
    if (!all) {
      for (const pair of pairs) take(this.anyOf, pairKey(pair), binding);
      return;
    }
    this.everything.delete(binding.id);
    const shape = this.shapes.get(shapeId(pairs));
    if (!shape) return;
    take(shape.byValues, valuesKey(pairs), binding);
    if (shape.byValues.size > 0) return;
    this.shapes.delete(shape.id);
    const shelf = this.shelves.get(shape.shelf);
    shelf?.delete(shape);
    if (shelf?.size === 0) this.shelves.delete(shape.shelf);
  }

  route({ headers }: Message, found: (binding: B) => void): void {
    this.everything.forEach(found);
    if (this.anyOf.size === 0 && this.shapes.size === 0) return;
    for (const [name, field] of headers) {
      this.anyOf.get(pairKey([name, undefined]))?.forEach(found);
      this.anyOf.get(pairKey([name, canonicalHeader(field, this.typed)]))?.forEach(found);
      for (const shape of this.shelves.get(name) ?? []) {
        const values = valuesOf(headers, shape, this.typed);
        if (values !== undefined) shape.byValues.get(values)?.forEach(found);
      }
    }
  }

  /** A new shape is filed under the name with the fewest others, so that a name in every binding makes no long walk. */
  private shape(pairs: readonly Pair[]): Shape<B> {
    const id = shapeId(pairs);
    const known = this.shapes.get(id);
    if (known) return known;
    const crowd = (name: string): number => this.shelves.get(name)?.size ?? 0;
    const names = pairs.map(([name]) => name);
    const shelf = names.reduce((least, name) => (crowd(name) < crowd(least) ? name : least));
    const shape: Shape<B> = {
      id,
      shelf,
      pairs: pairs.map(([name, value]) => [name, value === undefined]),
      byValues: new Map(),
    };
    this.shapes.set(id, shape);
    const others = this.shelves.get(shelf);
    if (others) others.add(shape);
    else this.shelves.set(shelf, new Set([shape]));
    return shape;
  }
}

function put<B extends Routable>(into: Map<string, Map<string, B>>, key: string, binding: B): void {
  const bindings = into.get(key);
  if (bindings) bindings.set(binding.id, binding);
  else into.set(key, new Map([[binding.id, binding]]));
}

function take<B extends Routable>(from: Map<string, Map<string, B>>, key: string, binding: B): void {
  const bindings = from.get(key);
  bindings?.delete(binding.id);
  if (bindings?.size === 0) from.delete(key);
}

function pairKey([name, value]: Pair): string {
  return value === undefined ? `?${name}` : `=${name.length}:${name}${value}`;
}

function shapeId(pairs: readonly Pair[]): string {
  return pairs.map(([name, value]) => `${value === undefined ? '?' : '='}${name.length}:${name}`).join('');
}

function valuesKey(pairs: readonly Pair[]): string {
  return pairs.map(([, value]) => (value === undefined ? '' : valueKey(value))).join('');
}

function valueKey(value: string): string {
  return `${value.length}:${value}`;
}

/** What a message has under the names of a shape; undefined when one of them is not there. */
function valuesOf(headers: Table, { pairs }: Shape<unknown>, typed: boolean): string | undefined {
  let key = '';
  for (const [name, anyValue] of pairs) {
    const field = headers.get(name);
    if (!field) return undefined;
    if (!anyValue) key += valueKey(canonicalHeader(field, typed));
  }
  return key;
}
