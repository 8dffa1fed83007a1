// Lists as clients of the management API want them: some columns, sorted, filtered by name, page by page.
import { badRequest, Refusal } from '../model/refusal.js';
import { type Call, ok, type Reply } from './call.js';

type Item = Readonly<Record<string, unknown>>;

const USUAL_PAGE = 100;
const LARGEST_PAGE = 500;

/** Answers with a list, in this order unless the request wants another. Throws a Refusal for parameters that make no sense. */
export function listed(call: Call, items: readonly Item[], order: readonly string[] = []): Reply {
  const { query, management } = call;
  const columns = columnsOf(query);
  const page = query.get('page');
  const pick = (some: readonly Item[]): Item[] => some.map((item) => withColumns(item, columns));
  const wanted = sorted(named(items, query, management.context.traits.comparesTypes), query, order);
  if (page === null) return ok(pick(wanted));
  const size = whole(query.get('page_size') ?? String(USUAL_PAGE));
  const number = whole(page);
  if (number < 1 || size < 1 || size > LARGEST_PAGE) {
    throw new Refusal(
      'invalid_pagination_parameters',
      `Invalid pagination parameters: page number ${number}, page size ${size}`,
    );
  }
  const first = (number - 1) * size;
  if (first >= wanted.length && number > 1) {
    const where = `page: ${number} page size: ${size}, len: ${wanted.length}`;
    throw new Refusal('page_out_of_range', `Page out of range, ${where}`);
  }
  const shown = pick(wanted.slice(first, first + size));
  return ok({
    filtered_count: wanted.length,
    item_count: shown.length,
    items: shown,
    page: number,
    page_count: Math.ceil(wanted.length / size),
    page_size: size,
    total_count: items.length,
  });
}

/** One thing, with the columns that are asked for. */
export function shown({ query }: Call, item: Item): Reply {
  return ok(withColumns(item, columnsOf(query)));
}

function columnsOf(query: URLSearchParams): readonly string[][] | undefined {
  const columns = query.get('columns');
  return columns?.split(',').map((column) => column.split('.'));
}

function withColumns(item: Item, columns: readonly string[][] | undefined): Item {
  if (!columns) return item;
  const picked: Record<string, unknown> = {};
  for (const path of columns) {
    const value = valueAt(item, path);
    if (value === undefined) continue;
    let at = picked;
    for (const name of path.slice(0, -1)) {
      const inner = Object.hasOwn(at, name) ? at[name] : undefined;
      const next = typeof inner === 'object' && inner !== null ? { ...inner } : {};
      define(at, name, next);
      at = next;
    }
    define(at, path.at(-1) ?? '', value);
  }
  return picked;
}

/** Also for names like `__proto__`, which come from a request. */
function define(object: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true });
}

function valueAt(item: Item, path: readonly string[]): unknown {
  let value: unknown = item;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Item)[name];
  }
  return value;
}

/** Filters by name, which RabbitMQ does for pages only. */
function named(items: readonly Item[], query: URLSearchParams, since4: boolean): readonly Item[] {
  const name = query.get('name');
  if (!name || query.get('page') === null) return items;
  if (query.get('use_regex') !== 'true') {
    const lower = name.toLowerCase();
    return items.filter((item) => String(item.name).toLowerCase().includes(lower));
  }
  const pattern = regex(name);
  // What is no regular expression matches nothing in 4, and is an error before.
  if (!pattern && !since4) throw badRequest('Pagination parameters are invalid');
  return items.filter((item) => pattern?.test(String(item.name)));
}

function regex(source: string): RegExp | undefined {
  try {
    return new RegExp(source, 'i');
  } catch {
    return undefined;
  }
}

function sorted(items: readonly Item[], query: URLSearchParams, order: readonly string[]): readonly Item[] {
  const column = query.get('sort');
  const paths = (column ? [column] : order).map((each) => each.split('.'));
  const sign = query.get('sort_reverse') === 'true' ? -1 : 1;
  return [...items].sort((a, b) => {
    for (const path of paths) {
      const difference = compared(valueAt(a, path), valueAt(b, path));
      if (difference !== 0) return sign * difference;
    }
    return 0;
  });
}

function compared(a: unknown, b: unknown): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  const [left, right] = [a, b].map((value) =>
    typeof value === 'string' ? value : JSON.stringify(value ?? 0),
  );
  return left < right ? -1 : left > right ? 1 : 0;
}

function whole(text: string): number {
  if (/^[0-9]{1,9}$/.test(text)) return Number(text);
  throw badRequest('Pagination parameters are invalid');
}
