// Where the parts of a topology are drawn: exchanges on the left (those that others lead to further right), then queues, then
// handlers; in each column, what belongs together at the same height. And what of it is in sight.
import type { BindingEdge, ExchangeNode, QueueNode, TopologyAnswer } from '../../../src/api.js';

export type Part =
  | {
      readonly kind: 'exchange';
      readonly key: string;
      readonly name: string;
      readonly exchange: ExchangeNode;
    }
  | { readonly kind: 'queue'; readonly key: string; readonly name: string; readonly queue: QueueNode }
  | { readonly kind: 'handler'; readonly key: string; readonly name: string };

/** Where a part is: left, top, and its size. */
export interface Placed {
  readonly part: Part;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  /** It stays in sight while the others are scrolled: `y` is its place in the window. */
  readonly stays: boolean;
}

/** A line: all bindings from one part to another. */
export interface Drawn {
  readonly from: Placed;
  readonly to: Placed;
  readonly bindings: readonly BindingEdge[];
}

export interface Layout {
  readonly parts: readonly Placed[];
  /** Those of each part, by its key. */
  readonly lines: ReadonlyMap<string, readonly Drawn[]>;
  /** Space between two columns. */
  readonly between: number;
  readonly width: number;
  readonly height: number;
}

/** Of the window that the drawing is in. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

const [HEIGHT, GAP, EDGE] = [30, 8, 20];
const ROW = HEIGHT + GAP;

export interface Shown {
  readonly exchanges: readonly ExchangeNode[];
  readonly queues: readonly QueueNode[];
  readonly bindings: readonly BindingEdge[];
}

export const exchangeKey = (name: string): string => `exchange ${name}`;
export const queueKey = (name: string): string => `queue ${name}`;
const handlerKey = (name: string): string => `handler ${name}`;

/** `space`: the window that there is; the drawing is larger when it must. */
export function layout({ exchanges, queues, bindings }: Shown, space: Size): Layout {
  const columns = exchangeColumns(exchanges, bindings);
  const order = orderOf(queues, bindings, new Map(columns.flat().map(({ name }, index) => [name, index])));
  const handled = queues.some(({ handlers }) => handlers.length > 0);
  const count = Math.max(1, columns.length + (order.length > 0 ? 1 : 0) + (handled ? 1 : 0));
  const width = space.width < 700 ? 180 : space.width < 1_700 ? 190 : 280;
  const free = (space.width - 2 * EDGE - count * width) / Math.max(1, count - 1);
  const between = Math.max(space.width < 700 ? 50 : 80, Math.min(320, free));
  const left = (column: number): number => EDGE + column * (width + between);
  const rows = rowsOf(order, left(columns.length), left(columns.length + 1), width);
  const most = Math.max(rows.height, ...columns.map(({ length }) => length * ROW));
  const size = { width, height: HEIGHT };
  const first = columns.flatMap((column, index) => {
    const stays = most + 2 * EDGE > space.height && column.length * ROW + 2 * EDGE <= space.height;
    // Exchanges are few and their lines many: in the middle of what they lead to, or of the window.
    const each = (stays ? Math.min(most, space.height - 2 * EDGE) : most) / column.length;
    return column.map((part, at): Placed => {
      return { part, x: left(index), y: EDGE + at * each + (each - ROW) / 2, ...size, stays };
    });
  });
  const parts = [...first, ...rows.parts];
  return {
    parts,
    lines: byPart(linesOf(parts, bindings)),
    between,
    width: left(count - 1) + width + EDGE,
    height: 2 * EDGE + most,
  };
}

/** Exchanges that others lead to are further right. */
function exchangeColumns(exchanges: readonly ExchangeNode[], bindings: readonly BindingEdge[]): Part[][] {
  const depth = depths(exchanges, bindings);
  const columns: Part[][] = [];
  for (const exchange of exchanges) {
    const column = (columns[depth.get(exchange.name) ?? 0] ??= []);
    column.push({ kind: 'exchange', key: exchangeKey(exchange.name), name: exchange.name, exchange });
  }
  return columns;
}

/** Queues one below the other, each beside its handlers. */
function rowsOf(
  queues: readonly QueueNode[],
  x: number,
  handlersX: number,
  width: number,
): { readonly parts: readonly Placed[]; readonly height: number } {
  const parts: Placed[] = [];
  const seen = new Set<string>();
  let top = EDGE;
  const put = (part: Part, left: number, y: number): void =>
    void parts.push({ part, x: left, y, width, height: HEIGHT, stays: false });
  for (const queue of queues) {
    const own = queue.handlers.filter((name) => !seen.has(name));
    own.forEach((name) => seen.add(name));
    const rows = Math.max(1, own.length);
    put(
      { kind: 'queue', key: queueKey(queue.name), name: queue.name, queue },
      x,
      top + ((rows - 1) * ROW) / 2,
    );
    own.forEach((name, at) =>
      put({ kind: 'handler', key: handlerKey(name), name }, handlersX, top + at * ROW),
    );
    top += rows * ROW;
  }
  return { parts, height: top - EDGE };
}

/** Lines that are drawn at most: more are a grey area. */
const MOST_LINES = 400;

/** Above and below the window, so that what comes into sight is there already. */
const AROUND = 300;

/** What of a layout is in sight from `top` on. `keep`: a part that is drawn wherever it is. */
export function inSight(
  { parts, lines }: Layout,
  top: number,
  height: number,
  keep: string | undefined,
): { readonly parts: readonly Placed[]; readonly lines: readonly Drawn[] } {
  const [from, to] = [top - AROUND, top + height + AROUND];
  const isSeen = ({ part, y, stays }: Placed): boolean =>
    stays || (y + HEIGHT > from && y < to) || part.key === keep;
  const seen = parts.filter(isSeen);
  // What stays in sight leads to all the others: its lines are those of the others.
  const own = seen.flatMap((each) =>
    (lines.get(each.part.key) ?? []).filter((line) => !each.stays || (line.from.stays && line.to.stays)),
  );
  const whole = ({ from: one, to: other }: Drawn): boolean => isSeen(one) && isSeen(other);
  const all = [...new Set(own)];
  return {
    parts: seen,
    lines: [...all.filter(whole), ...all.filter((line) => !whole(line))].slice(0, MOST_LINES),
  };
}

/** The top of a part when the drawing is scrolled by `top`. */
export const topOf = ({ y, stays }: Placed, top: number): number => (stays ? y + top : y);

/** How many exchanges lead to each one, at most; circles end. */
function depths(exchanges: readonly ExchangeNode[], bindings: readonly BindingEdge[]): Map<string, number> {
  const depth = new Map(exchanges.map(({ name }) => [name, 0]));
  const between = bindings.filter(({ destinationKind }) => destinationKind === 'exchange');
  for (let round = 0; round < Math.min(4, exchanges.length); round++)
    for (const { source, destination } of between) {
      const next = (depth.get(source) ?? 0) + 1;
      if (source !== destination && next <= 4 && next > (depth.get(destination) ?? Infinity))
        depth.set(destination, next);
    }
  // No empty columns.
  const used = [...new Set(depth.values())].sort((one, other) => one - other);
  return new Map([...depth].map(([name, value]) => [name, used.indexOf(value)]));
}

/** Queues near the exchanges that lead to them; dead-letter and wait queues below the queue that they belong to. */
function orderOf(
  queues: readonly QueueNode[],
  bindings: readonly BindingEdge[],
  exchangeAt: ReadonlyMap<string, number>,
): readonly QueueNode[] {
  const names = new Set(queues.map(({ name }) => name));
  const own = (name: string): string => {
    const parent = [...name.matchAll(/\./g)]
      .map(({ index }) => name.slice(0, index))
      .reverse()
      .find((each) => names.has(each));
    return parent ?? name;
  };
  const sources = new Map<string, number>();
  for (const { source, destination, destinationKind } of bindings)
    if (destinationKind === 'queue')
      sources.set(
        destination,
        Math.min(sources.get(destination) ?? Infinity, exchangeAt.get(source) ?? Infinity),
      );
  const rank = ({ name }: QueueNode): string => {
    const [parent, at] = [own(name), sources.get(own(name)) ?? 999];
    return `${String(Math.min(at, 999)).padStart(3, '0')} ${parent}\0${name === parent ? '' : name}`;
  };
  return queues
    .map((queue) => ({ queue, rank: rank(queue) }))
    .sort((one, other) => (one.rank < other.rank ? -1 : 1))
    .map(({ queue }) => queue);
}

function linesOf(parts: readonly Placed[], bindings: readonly BindingEdge[]): Drawn[] {
  const placed = new Map(parts.map((each) => [each.part.key, each]));
  const together = new Map<string, { from: Placed; to: Placed; bindings: BindingEdge[] }>();
  for (const binding of bindings) {
    const from = placed.get(exchangeKey(binding.source));
    const to = placed.get(
      binding.destinationKind === 'queue' ? queueKey(binding.destination) : exchangeKey(binding.destination),
    );
    if (from === undefined || to === undefined) continue;
    const key = `${from.part.key}\0${to.part.key}`;
    const line = together.get(key) ?? { from, to, bindings: [] };
    line.bindings.push(binding);
    together.set(key, line);
  }
  const handled = parts.flatMap((from) =>
    from.part.kind === 'queue'
      ? from.part.queue.handlers.flatMap((name) => {
          const to = placed.get(handlerKey(name));
          return to ? [{ from, to, bindings: [] }] : [];
        })
      : [],
  );
  return [...together.values(), ...handled];
}

function byPart(lines: readonly Drawn[]): ReadonlyMap<string, readonly Drawn[]> {
  const all = new Map<string, Drawn[]>();
  for (const line of lines)
    for (const { part } of new Set([line.from, line.to]))
      all
        .set(part.key, all.get(part.key) ?? [])
        .get(part.key)!
        .push(line);
  return all;
}

/**
 * A curve from the right side of one box to the left side of another, around it when it leads back, when the drawing is scrolled
 * by `top`.
 */
export function curve({ from, to }: Drawn, top: number): string {
  const [x1, y1] = [from.x + from.width, topOf(from, top) + HEIGHT / 2];
  const [x2, y2] = [to.x, topOf(to, top) + HEIGHT / 2];
  const bend = x2 > x1 ? (x2 - x1) / 2 : 60;
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
}

export interface Choice {
  readonly search: string;
  /** Wait queues and those of Warren itself. */
  readonly internal: boolean;
  /** Only what is not as declared. */
  readonly wrong: boolean;
}

export const isWrong = ({ exists, drift, orphan, declaredBy }: ExchangeNode | QueueNode): boolean =>
  drift.length > 0 || orphan || (exists === false && declaredBy.length > 0);

/** What of it is drawn. */
export function shownOf(
  { exchanges, queues, bindings }: TopologyAnswer,
  { search, internal, wrong }: Choice,
): Shown {
  const visible = (node: ExchangeNode | QueueNode): boolean =>
    (internal || (node.purpose !== 'internal' && node.purpose !== 'wait')) && (!wrong || isWrong(node));
  const word = search.trim().toLowerCase();
  const some = queues.filter(visible);
  const others = exchanges.filter(visible);
  if (word === '') {
    const keep = wrong ? bindings.filter(({ orphan, exists }) => orphan || exists === false) : bindings;
    return { exchanges: others, queues: some, bindings: keep };
  }
  // What matches, and what it is bound to.
  const matches = (node: ExchangeNode | QueueNode): boolean =>
    `${node.name} ${'handlers' in node ? node.handlers.join(' ') : ''}`.toLowerCase().includes(word);
  const found = new Set([
    ...some.filter(matches).map(({ name }) => queueKey(name)),
    ...others.filter(matches).map(({ name }) => exchangeKey(name)),
  ]);
  const near = new Set(found);
  const kept = bindings.filter((binding) => {
    const from = exchangeKey(binding.source);
    const to =
      binding.destinationKind === 'queue' ? queueKey(binding.destination) : exchangeKey(binding.destination);
    if (!found.has(from) && !found.has(to) && !binding.key.toLowerCase().includes(word)) return false;
    near.add(from).add(to);
    return true;
  });
  return {
    exchanges: others.filter(({ name }) => near.has(exchangeKey(name))),
    queues: some.filter(({ name }) => near.has(queueKey(name))),
    bindings: kept,
  };
}
