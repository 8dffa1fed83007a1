// Handlers: what each does, whether it keeps up, and why it does not.
import type { HandlerRow, HandlersAnswer } from '../../../src/api.js';
import { count, duration, rate } from '../data/format.js';
import { address, go, goQuery, place } from '../data/router.js';
import { useResource } from '../data/resource.js';
import { Spark } from '../parts/chart.js';
import { Choice, Search } from '../parts/controls.js';
import { Loaded, View } from '../parts/page.js';
import { type Column, Table } from '../parts/table.js';
import { NotKnown } from '../parts/unknown.js';
import { Empty, Name, Tag, type Tone } from '../parts/words.js';
import { HandlerPane } from './handler-pane.js';

export function Handlers() {
  const answer = useResource<HandlersAnswer>('handlers', ['event', 'audit'], 5_000);
  const { path, query } = place.value;
  const search = query.q ?? '';
  const only = query.only ?? 'all';
  const rows = (answer.data?.handlers ?? []).filter((row) => wanted(row, search, only));
  const open = answer.data?.handlers.find((row) => keyOf(row) === path.join('/'));
  const close = (): void => go(address('handlers', [], query));
  return (
    <View
      title="Handlers"
      summary={answer.data && <Summary rows={answer.data.handlers} total={answer.data.total} />}
      tools={
        <>
          <Search
            label="Search handlers, queues, keys"
            value={search}
            onInput={(text) => goQuery({ q: text })}
          />
          <Choice
            label="Which handlers"
            value={only}
            choices={[
              ['all', 'All'],
              ['failing', 'Failing'],
              ['idle', 'Not consuming'],
            ]}
            onChange={(value) => goQuery({ only: value === 'all' ? undefined : value })}
          />
        </>
      }
      pane={open && <HandlerPane key={keyOf(open)} row={open} onClose={close} reload={answer.reload} />}
    >
      <Loaded from={answer}>
        {({ handlers, unknown }) => (
          <>
            <Table
              label="Handlers"
              rows={rows}
              columns={columns}
              keyOf={keyOf}
              open={path.join('/')}
              onOpen={(row) => go(address('handlers', [row.service, row.id], query))}
              second={(row) => (
                <>
                  <Figure row={row} />
                  <span>{row.queue}</span>
                </>
              )}
              empty={
                handlers.length === 0 ? (
                  <None />
                ) : (
                  <Empty title="No handler matches">Change the search, or show all.</Empty>
                )
              }
            />
            <NotKnown unknown={unknown} />
          </>
        )}
      </Loaded>
    </View>
  );
}

const keyOf = ({ service, id }: HandlerRow): string => `${service}/${id}`;

function wanted(row: HandlerRow, search: string, only: string): boolean {
  if (only === 'failing' && !(row.figures && row.figures.lastMinute.failedPerSecond > 0)) return false;
  if (only === 'idle' && stateOf(row).tone === 'plain') return false;
  const text = `${row.service} ${row.id} ${row.queue} ${row.patterns?.join(' ') ?? ''}`.toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

function Summary({ rows, total }: { readonly rows: readonly HandlerRow[]; readonly total: number }) {
  const perSecond = rows.reduce((sum, { figures }) => sum + (figures?.lastMinute.perSecond ?? 0), 0);
  const failed = rows.reduce((sum, { figures }) => sum + (figures?.lastMinute.failedPerSecond ?? 0), 0);
  return (
    <>
      <span>{rows.length < total ? `${count(rows.length)} of ${count(total)}` : count(total)}</span>
      <span>{rate(perSecond)}</span>
      {failed > 0 && <span class="bad-text">{rate(failed)} failing</span>}
    </>
  );
}

function None() {
  return (
    <Empty title="No handlers yet">
      A handler appears here when an application with <code>@Consume</code>, <code>@Subscribe</code> or{' '}
      <code>@RpcHandler</code> starts. Other services appear when they have the option <code>fleet</code>.
    </Empty>
  );
}

/** The worst of what its instances say. */
export function stateOf({ instances }: HandlerRow): {
  readonly text: string;
  readonly tone: Tone;
  readonly why?: string;
} {
  const all = instances.length;
  const part = (some: number, text: string): string =>
    all > 1 && some < all ? `${text} ${some}/${all}` : text;
  if (all === 0) return { text: 'not running', tone: 'bad' };
  const paused = instances.filter(({ control }) => control?.paused);
  if (paused.length > 0) return { text: part(paused.length, 'paused'), tone: 'warn' };
  const broken = instances.filter(
    ({ control }) => control?.breaker === 'open' || control?.breaker === 'half-open',
  );
  if (broken.length > 0)
    return {
      text: part(broken.length, 'breaker open'),
      tone: 'bad',
      why: 'A dependency fails: it does not consume, and tries one message from time to time',
    };
  const lost = instances.filter(({ ready }) => !ready);
  if (lost.length > 0)
    return { text: part(lost.length, 'not ready'), tone: 'bad', why: lost[0].lastError ?? undefined };
  return { text: 'consuming', tone: 'plain' };
}

const inFlight = ({ instances }: HandlerRow): number =>
  instances.reduce((sum, each) => sum + each.inFlight, 0);

function Figure({ row }: { readonly row: HandlerRow }) {
  const { figures } = row;
  if (figures === null) return <span class="faint">–</span>;
  const { perSecond, failedPerSecond } = figures.lastMinute;
  return (
    <span>
      {rate(perSecond)}
      {failedPerSecond > 0 && <span class="bad-text"> · {rate(failedPerSecond)} failing</span>}
    </span>
  );
}

const dash = <span class="faint">–</span>;
const minute = (row: HandlerRow) => row.figures?.lastMinute;

const columns: readonly Column<HandlerRow>[] = [
  {
    key: 'handler',
    title: 'Handler',
    width: 'minmax(150px, 2.2fr)',
    cell: ({ id, service }) => (
      <span title={`${service} ${id}`}>
        <strong>{id}</strong> <span class="faint">{service}</span>
      </span>
    ),
    sort: keyOf,
  },
  {
    key: 'queue',
    title: 'Queue',
    width: 'minmax(140px, 1.4fr)',
    from: 1_160,
    cell: ({ queue }) => <Name>{queue}</Name>,
    sort: ({ queue }) => queue,
  },
  {
    key: 'spark',
    title: 'Last 10 min',
    width: '76px',
    from: 760,
    cell: ({ figures }) => figures && <Spark values={figures.history.handled} bad={figures.history.failed} />,
  },
  {
    key: 'rate',
    title: 'Rate',
    width: '76px',
    numeric: true,
    from: 640,
    cell: (row) => (minute(row) ? rate(minute(row)!.perSecond) : dash),
    sort: (row) => minute(row)?.perSecond ?? -1,
  },
  {
    key: 'failed',
    title: 'Failing',
    width: '76px',
    numeric: true,
    from: 640,
    cell: (row) => {
      const failed = minute(row)?.failedPerSecond;
      return failed === undefined ? (
        dash
      ) : failed > 0 ? (
        <span class="bad-text">{rate(failed)}</span>
      ) : (
        <span class="faint">0/s</span>
      );
    },
    sort: (row) => minute(row)?.failedPerSecond ?? -1,
  },
  {
    key: 'flight',
    title: 'In flight',
    width: '64px',
    numeric: true,
    from: 640,
    cell: (row) => count(inFlight(row)),
    sort: inFlight,
  },
  {
    key: 'ready',
    title: 'Waiting',
    width: '72px',
    numeric: true,
    from: 700,
    cell: ({ onBroker }) => (onBroker ? count(onBroker.ready) : dash),
    sort: ({ onBroker }) => onBroker?.ready ?? -1,
  },
  {
    key: 'took',
    title: 'Took (p95)',
    width: '84px',
    numeric: true,
    from: 820,
    cell: (row) => (minute(row)?.took ? duration(minute(row)!.took!.p95) : dash),
    sort: (row) => minute(row)?.took?.p95 ?? -1,
  },
  {
    key: 'age',
    title: 'Age (p95)',
    width: '92px',
    numeric: true,
    from: 1_000,
    cell: (row) => (minute(row)?.age ? duration(minute(row)!.age!.p95) : dash),
    sort: (row) => minute(row)?.age?.p95 ?? -1,
  },
  {
    key: 'instances',
    title: 'Instances',
    width: '68px',
    numeric: true,
    from: 1_100,
    cell: ({ instances }) => count(instances.length),
    sort: ({ instances }) => instances.length,
  },
  {
    key: 'state',
    title: 'State',
    width: '112px',
    cell: (row) => {
      const { text, tone, why } = stateOf(row);
      return (
        <Tag tone={tone} title={why}>
          {text}
        </Tag>
      );
    },
    sort: (row) => stateOf(row).text,
  },
];
