// A table of any number of rows: only those that can be seen exist. Rows have one height; narrow, a row is two lines and
// shows the columns that matter. Arrows move, Enter opens, Space marks.
import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

export interface Column<T> {
  readonly key: string;
  readonly title: string;
  /** As in `grid-template-columns`. */
  readonly width: string;
  /** Right-aligned, digits below digits. */
  readonly numeric?: boolean;
  /** The least width of the table at which it is shown. */
  readonly from?: number;
  readonly cell: (row: T) => ComponentChildren;
  /** What to sort by; without it, the column cannot be sorted by. */
  readonly sort?: (row: T) => number | string;
}

export interface TableProps<T> {
  /** Says what is listed, to screen readers. */
  readonly label: string;
  readonly rows: readonly T[];
  readonly columns: readonly Column<T>[];
  readonly keyOf: (row: T) => string;
  /** The row that is open beside the table. */
  readonly open?: string | undefined;
  readonly onOpen?: ((row: T) => void) | undefined;
  /** The second line of a row in a narrow table. */
  readonly second?: (row: T) => ComponentChildren;
  readonly marked?: ReadonlySet<string> | undefined;
  readonly onMark?: ((marked: ReadonlySet<string>) => void) | undefined;
  /** Shown in place of rows. */
  readonly empty?: ComponentChildren;
  /** Called when the last row comes near. */
  readonly onEnd?: (() => void) | undefined;
  readonly tone?: ((row: T) => string | undefined) | undefined;
}

const [ROW, TALL, NARROW, AROUND] = [32, 54, 640, 10];

export function Table<T>(props: TableProps<T>) {
  const { label, rows: given, columns: all, keyOf, open, marked, empty, second, onEnd } = props;
  const box = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  const [top, setTop] = useState(0);
  const [order, setOrder] = useState<Order | undefined>();
  const [active, setActive] = useState<string | undefined>();
  useLayoutEffect(() => {
    const element = box.current!;
    const measure = (): void => setSize({ width: element.clientWidth, height: element.clientHeight });
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const narrow = size.width > 0 && size.width < NARROW && second !== undefined;
  const columns = all.filter(({ from = 0 }) => size.width >= from);
  const rows = sorted(given, columns, order);
  const height = narrow ? TALL : ROW;
  const first = Math.max(0, Math.floor(top / height) - AROUND);
  const last = Math.min(rows.length, Math.ceil((top + size.height) / height) + AROUND);
  useEffect(() => {
    if (last >= rows.length && rows.length > 0) onEnd?.();
  }, [last, rows.length]);
  const at = Math.max(
    0,
    rows.findIndex((row) => keyOf(row) === (active ?? open)),
  );
  const template = [...(marked ? ['28px'] : []), ...columns.map(({ width }) => width)].join(' ');
  const move = (to: number): void => {
    const index = Math.max(0, Math.min(rows.length - 1, to));
    if (rows[index] === undefined) return;
    setActive(keyOf(rows[index]));
    reveal(box.current!, index, height);
    requestAnimationFrame(() =>
      box.current
        ?.querySelector<HTMLElement>(`[aria-rowindex="${index + 2}"]`)
        ?.focus({ preventScroll: true }),
    );
  };
  const onKeyDown = (event: KeyboardEvent): void =>
    keyDown(event, { props, rows, at, move, page: Math.floor(size.height / height) - 2 });
  const shared = { ...props, columns, template, height, narrow, setActive };
  return (
    <div
      class={narrow ? 'table narrow' : 'table'}
      role="grid"
      aria-label={label}
      aria-rowcount={rows.length + 1}
      aria-multiselectable={marked ? true : undefined}
    >
      <Head
        {...{ columns, template, order, setOrder, rows, narrow }}
        marked={marked}
        onMark={props.onMark}
        keyOf={keyOf}
      />
      <div
        class="rows"
        role="rowgroup"
        ref={box}
        onScroll={() => setTop(box.current!.scrollTop)}
        onKeyDown={onKeyDown}
      >
        {rows.length === 0 ? (
          <div role="row" class="none">
            <div role="gridcell">{empty}</div>
          </div>
        ) : (
          <div class="all" role="presentation" style={{ height: `${rows.length * height}px` }}>
            {rows.slice(first, last).map((row, index) => (
              <Row
                key={keyOf(row)}
                row={row}
                index={first + index}
                current={first + index === at}
                {...shared}
              />
            ))}
          </div>
        )}
      </div>
    </div>
  );
}

interface Order {
  readonly key: string;
  readonly down: boolean;
}

function sorted<T>(
  rows: readonly T[],
  columns: readonly Column<T>[],
  order: Order | undefined,
): readonly T[] {
  const by = columns.find(({ key }) => key === order?.key)?.sort;
  if (by === undefined) return rows;
  const turn = order?.down ? -1 : 1;
  return rows
    .map((row) => ({ row, value: by(row) }))
    .sort((one, other) => (one.value < other.value ? -turn : one.value > other.value ? turn : 0))
    .map(({ row }) => row);
}

function reveal(box: HTMLElement, index: number, height: number): void {
  const [above, below] = [index * height, (index + 1) * height];
  if (above < box.scrollTop) box.scrollTop = above;
  else if (below > box.scrollTop + box.clientHeight) box.scrollTop = below - box.clientHeight;
}

interface Moving<T> {
  readonly props: TableProps<T>;
  readonly rows: readonly T[];
  readonly at: number;
  readonly page: number;
  readonly move: (to: number) => void;
}

function keyDown<T>(event: KeyboardEvent, { props, rows, at, page, move }: Moving<T>): void {
  // A button or field in a row has its own keys.
  const inside = (event.target as HTMLElement).closest('button, input, a, select');
  const steps: Record<string, number> = {
    ArrowDown: at + 1,
    ArrowUp: at - 1,
    PageDown: at + page,
    PageUp: at - page,
    Home: 0,
    End: rows.length,
  };
  if (event.key in steps && !(inside instanceof HTMLSelectElement)) {
    event.preventDefault();
    move(steps[event.key]);
  } else if (inside) return;
  else if (event.key === 'Enter' && rows[at] !== undefined) {
    event.preventDefault();
    props.onOpen?.(rows[at]);
  } else if (event.key === ' ' && props.marked && rows[at] !== undefined) {
    event.preventDefault();
    props.onMark?.(toggled(props.marked, props.keyOf(rows[at])));
  }
}

function toggled(marked: ReadonlySet<string>, key: string): ReadonlySet<string> {
  const next = new Set(marked);
  if (!next.delete(key)) next.add(key);
  return next;
}

interface HeadProps<T> extends Pick<TableProps<T>, 'marked' | 'onMark' | 'keyOf' | 'rows' | 'columns'> {
  readonly template: string;
  readonly narrow: boolean;
  readonly order: Order | undefined;
  readonly setOrder: (order: Order | undefined) => void;
}

function Head<T>({ columns, template, order, setOrder, marked, onMark, rows, keyOf, narrow }: HeadProps<T>) {
  const every = marked !== undefined && rows.length > 0 && rows.every((row) => marked.has(keyOf(row)));
  return (
    <div class="head" role="rowgroup">
      <div class="row" role="row" aria-rowindex={1} style={{ gridTemplateColumns: template }}>
        {marked && (
          <div role="columnheader" class="mark">
            <input
              type="checkbox"
              aria-label="Mark all"
              checked={every}
              onChange={() => onMark?.(every ? new Set() : new Set(rows.map(keyOf)))}
            />
          </div>
        )}
        {columns.map(({ key, title, numeric, sort }) => (
          <div
            key={key}
            role="columnheader"
            class={numeric ? 'cell numeric' : 'cell'}
            aria-sort={order?.key === key ? (order.down ? 'descending' : 'ascending') : undefined}
          >
            {sort && !narrow ? (
              <button type="button" onClick={() => setOrder(next(order, key, numeric === true))}>
                {title}
              </button>
            ) : (
              title
            )}
          </div>
        ))}
      </div>
    </div>
  );
}

/** Numbers largest first, texts smallest first, then the other way, then as they came. */
function next(order: Order | undefined, key: string, numeric: boolean): Order | undefined {
  if (order?.key !== key) return { key, down: numeric };
  return order.down === numeric ? { key, down: !numeric } : undefined;
}

interface RowProps<T> extends TableProps<T> {
  readonly row: T;
  readonly index: number;
  readonly current: boolean;
  readonly template: string;
  readonly height: number;
  readonly narrow: boolean;
  readonly setActive: (key: string) => void;
}

function Row<T>(props: RowProps<T>) {
  const {
    row,
    index,
    current,
    columns,
    template,
    height,
    narrow,
    keyOf,
    open,
    onOpen,
    marked,
    onMark,
    second,
    tone,
  } = props;
  const key = keyOf(row);
  const isMarked = marked?.has(key);
  const onClick = (event: MouseEvent): void => {
    if ((event.target as HTMLElement).closest('button, input, a, select')) return;
    // Selecting text is no click.
    if (getSelection()?.isCollapsed === false) return;
    props.setActive(key);
    onOpen?.(row);
  };
  const classes = [
    'row',
    index % 2 ? 'odd' : '',
    onOpen ? 'opens' : '',
    key === open ? 'open' : '',
    tone?.(row) ?? '',
  ];
  return (
    <div
      class={classes.filter(Boolean).join(' ')}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={marked ? isMarked : onOpen ? key === open : undefined}
      tabIndex={current ? 0 : -1}
      style={{
        transform: `translateY(${index * height}px)`,
        height: `${height}px`,
        gridTemplateColumns: template,
      }}
      onClick={onClick}
      onFocus={() => props.setActive(key)}
    >
      {marked && (
        <div role="gridcell" class="mark">
          <input
            type="checkbox"
            tabIndex={-1}
            aria-label="Mark"
            checked={isMarked}
            onChange={() => onMark?.(toggled(marked, key))}
          />
        </div>
      )}
      {columns.map(({ key: name, cell, numeric }) => (
        <div key={name} role="gridcell" class={numeric ? 'cell numeric' : 'cell'}>
          {cell(row)}
        </div>
      ))}
      {narrow && (
        <div role="gridcell" class="second">
          {second!(row)}
        </div>
      )}
    </div>
  );
}
