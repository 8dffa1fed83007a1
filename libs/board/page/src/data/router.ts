// Where one is: `#/dead-letters/orders.dead?id=7`. Addresses can be sent to others and kept.
import { signal } from '@preact/signals';

export interface Place {
  readonly view: string;
  /** What follows the view, decoded. */
  readonly path: readonly string[];
  readonly query: Readonly<Record<string, string>>;
}

export const place = signal<Place>(parse(location.hash));

addEventListener('hashchange', () => (place.value = parse(location.hash)));

/** The address of a place, for links. */
export function address(
  view: string,
  path: readonly string[] = [],
  query: Record<string, string | undefined> = {},
): string {
  const given = Object.entries(query).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '',
  );
  const search = new URLSearchParams(given).toString();
  return `#/${[view, ...path].map(encodeURIComponent).join('/')}${search && `?${search}`}`;
}

/** Goes there. `replace`: without an entry in the history, for filters. */
export function go(to: string, { replace = false } = {}): void {
  if (to === location.hash) return;
  if (!replace) location.hash = to;
  else {
    history.replaceState(null, '', to);
    place.value = parse(to);
  }
}

/** Changes parts of the query of the place where one is; undefined removes one. */
export function goQuery(change: Record<string, string | undefined>): void {
  const { view, path, query } = place.value;
  go(address(view, path, { ...query, ...change }), { replace: true });
}

function parse(hash: string): Place {
  const [before, search = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  const [view = '', ...path] = before.split('/').map(decoded);
  return { view, path: path.filter(Boolean), query: Object.fromEntries(new URLSearchParams(search)) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
