// Calls that are not answered yet: who waits for whom, for how long, and until when.
import { useSignal } from '@preact/signals';
import type { CallRow, CallsAnswer } from '../../../src/api.js';
import { count, duration, now } from '../data/format.js';
import { useResource } from '../data/resource.js';
import { address, go } from '../data/router.js';
import { Search } from '../parts/controls.js';
import { Loaded, View } from '../parts/page.js';
import { type Column, Table } from '../parts/table.js';
import { NotKnown } from '../parts/unknown.js';
import { Empty, Name, Since, Tag } from '../parts/words.js';

export function Calls() {
  const answer = useResource<CallsAnswer>('calls', [], 3_000);
  const search = useSignal('');
  const pair = useSignal<string | undefined>(undefined);
  const calls = answer.data?.calls ?? [];
  const found = calls.filter(
    (call) =>
      (pair.value === undefined || pairOf(call) === pair.value) &&
      textOf(call).includes(search.value.toLowerCase()),
  );
  const late = calls.filter(({ deadline, since }) => deadline !== null && left(deadline, since) < 0.2).length;
  return (
    <View
      title="Calls"
      summary={
        answer.data && (
          <>
            <span>{count(answer.data.total)} wait for an answer</span>
            {late > 0 && <span class="warn-text">{count(late)} near the deadline</span>}
          </>
        )
      }
      tools={
        <Search
          label="Search patterns, services, ids"
          value={search.value}
          onInput={(text) => (search.value = text)}
        />
      }
    >
      <Loaded from={answer}>
        {({ unknown }) => (
          <>
            <Pairs calls={calls} chosen={pair.value} choose={(value) => (pair.value = value)} />
            <Table
              label="Calls without an answer, the oldest first"
              rows={found}
              columns={columns}
              keyOf={(call) => `${call.from.id} ${call.id ?? ''} ${call.pattern} ${call.since}`}
              onOpen={({ id }) => id !== null && go(address('journey', [id]))}
              second={(call) => (
                <>
                  <Deadline call={call} />
                  <span>{pairOf(call)}</span>
                </>
              )}
              empty={
                calls.length > 0 ? (
                  <Empty title="No call matches">Change the search, or choose other services.</Empty>
                ) : (
                  <Empty title="No call waits for an answer">
                    Most calls are answered before one can look. What stays here for long waits for a slow or
                    missing handler.
                  </Empty>
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

const pairOf = ({ from, to }: CallRow): string => `${from.service} → ${to.join(', ') || 'nobody known'}`;

const textOf = (call: CallRow): string =>
  [call.id, call.pattern, call.kind, call.exchange, pairOf(call)].join(' ').toLowerCase();

/** The part of its time that is left, 1 at the beginning. */
const left = (deadline: number, since: number): number =>
  (deadline - now.value) / Math.max(1, deadline - since);

interface PairsProps {
  readonly calls: readonly CallRow[];
  readonly chosen: string | undefined;
  readonly choose: (pair: string | undefined) => void;
}

/** Who waits for whom, as filters. */
function Pairs({ calls, chosen, choose }: PairsProps) {
  const pairs = new Map<string, number>();
  for (const call of calls) pairs.set(pairOf(call), (pairs.get(pairOf(call)) ?? 0) + 1);
  if (pairs.size < 2 && chosen === undefined) return null;
  return (
    <div class="groups below" role="group" aria-label="Who waits for whom">
      <button type="button" aria-pressed={chosen === undefined} onClick={() => choose(undefined)}>
        All <b>{count(calls.length)}</b>
      </button>
      {[...pairs].map(([pair, number]) => (
        <button key={pair} type="button" aria-pressed={chosen === pair} onClick={() => choose(pair)}>
          {pair} <b>{count(number)}</b>
        </button>
      ))}
    </div>
  );
}

function Deadline({ call: { deadline, since } }: { readonly call: CallRow }) {
  if (deadline === null) return <span class="faint">without a limit</span>;
  const part = left(deadline, since);
  return (
    <span class={part < 0.2 ? 'deadline warn-text' : 'deadline'}>
      <progress value={Math.max(0, part)} max={1} aria-label="Time left" />
      {part <= 0 ? 'over' : `${duration(Math.ceil((deadline - now.value) / 1_000) * 1_000)} left`}
    </span>
  );
}

const columns: readonly Column<CallRow>[] = [
  {
    key: 'pattern',
    title: 'Call',
    width: 'minmax(140px, 1.6fr)',
    cell: ({ pattern }) => <Name>{pattern}</Name>,
    sort: ({ pattern }) => pattern,
  },
  {
    key: 'kind',
    title: 'Kind',
    width: '132px',
    from: 640,
    cell: ({ kind, state }) => (
      <>
        <Tag>{kind}</Tag>
        {state === 'unsent' && (
          <Tag tone="warn" title="The broker is away or blocked: the request waits to be sent">
            not sent
          </Tag>
        )}
      </>
    ),
    sort: ({ kind }) => kind,
  },
  {
    key: 'from',
    title: 'Who waits',
    width: 'minmax(110px, 1fr)',
    from: 640,
    cell: ({ from }) => (
      <span>
        {from.service} <span class="faint">{from.host}</span>
      </span>
    ),
    sort: ({ from }) => from.service,
  },
  {
    key: 'to',
    title: 'For whom',
    width: 'minmax(90px, 1fr)',
    from: 640,
    cell: ({ to }) => (to.length > 0 ? to.join(', ') : <Tag tone="bad">nobody known</Tag>),
    sort: ({ to }) => to.join(),
  },
  {
    key: 'since',
    title: 'For',
    width: '84px',
    numeric: true,
    cell: ({ since }) => <Since at={since} />,
    sort: ({ since }) => -since,
  },
  {
    key: 'deadline',
    title: 'Until it gives up',
    width: '220px',
    from: 760,
    cell: (call) => <Deadline call={call} />,
    sort: ({ deadline }) => deadline ?? Infinity,
  },
  {
    key: 'id',
    title: 'Id',
    width: 'minmax(100px, 0.8fr)',
    from: 1_000,
    cell: ({ id }) =>
      id === null ? (
        <span class="faint" title="Idempotent calls have secret ids">
          secret
        </span>
      ) : (
        <Name>{id}</Name>
      ),
  },
];
