// The dead letters of one queue: groups as filters, a search, marks, and what can be done with what was chosen.
import { type Signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Job, LetterRow, LettersAnswer, Selection } from '../../../src/api.js';
import { count, counted } from '../data/format.js';
import { get, type RequestError } from '../data/client.js';
import { onChange } from '../data/live.js';
import { address, go, goQuery, place } from '../data/router.js';
import { may } from '../data/session.js';
import { Button, Search } from '../parts/controls.js';
import { Failed, Ago, Empty, Name, Skeleton, Tag } from '../parts/words.js';
import { View } from '../parts/page.js';
import { type Column, Table } from '../parts/table.js';
import { DropDialog, ReplayDialog } from './dead-dialogs.js';
import { Jobs } from './dead-jobs.js';
import { GroupName } from './dead-letters.js';
import { LetterPane } from './letter-pane.js';

/** A page of the list. */
const PAGE = 200;

/** Which letters are listed. */
interface Filter {
  readonly group: string | undefined;
  readonly text: string | undefined;
}

interface Reading {
  readonly answer: LettersAnswer | undefined;
  /** What `answer` is an answer to. */
  readonly filter: Filter;
  readonly letters: readonly LetterRow[];
  readonly error: RequestError | undefined;
  readonly loading: boolean;
}

export function LetterList({ queue }: { readonly queue: string }) {
  const { path, query } = place.value;
  const marked = useSignal<ReadonlySet<string>>(new Set());
  const asking = useSignal<(Choice & { readonly kind: 'replay' | 'drop' }) | undefined>(undefined);
  const reading = useLetters(queue, query.group, query.q);
  const { answer, filter, letters, error } = reading.state.value;
  const open = letters.find(({ key }) => key === path[1]);
  const choice = answer && chosen(answer, marked.value, filter);
  // The list is loaded when the server says that it is over.
  const done = (): void => void (marked.value = new Set());
  return (
    <View
      title={queue}
      summary={answer && <Summary answer={answer} onAll={() => reading.reload({ all: '1' })} />}
      tools={
        <>
          <Search
            label="Search ids, errors, keys, bodies"
            value={query.q ?? ''}
            onInput={(text) => goQuery({ q: text })}
          />
          <Button icon="replay" label="Read the queue again" onClick={() => reading.reload({ fresh: '1' })} />
        </>
      }
      pane={
        path[1] !== undefined && (
          <LetterPane
            key={path[1]}
            queue={queue}
            letterKey={path[1]}
            row={open}
            onClose={() => go(address('dead-letters', [queue], query))}
            onDone={done}
          />
        )
      }
    >
      <a class="crumb" href={address('dead-letters')}>
        ← All dead-letter queues
      </a>
      <Jobs queue={queue} />
      {error && <Failed error={error} retry={() => reading.reload()} />}
      {!error && !answer && <Skeleton />}
      {answer && choice && !error && (
        <>
          <Groups answer={answer} group={query.group} />
          {answer.total > 0 && (
            <Chosen choice={choice} marked={marked} ask={(kind) => (asking.value = { ...choice, kind })} />
          )}
          <Table
            label={`Dead letters of ${queue}`}
            rows={letters}
            columns={columns}
            keyOf={({ key }) => key}
            open={path[1]}
            onOpen={({ key }) => go(address('dead-letters', [queue, key], query))}
            marked={may('dead.replay') || may('dead.drop') ? marked.value : undefined}
            onMark={(next) => (marked.value = next)}
            second={({ errorMessage, failedAt }) => (
              <>
                <Ago at={failedAt ?? undefined} />
                <span>{errorMessage}</span>
              </>
            )}
            onEnd={() => reading.more()}
            empty={
              query.q || query.group ? (
                <Empty title="No dead letter matches">The search covers what was read of the queue.</Empty>
              ) : (
                <Empty title="No dead letters">
                  Nothing has failed for good here, or all of it was replayed.
                </Empty>
              )
            }
          />
        </>
      )}
      {asking.value && answer && (
        <ActDialog
          kind={asking.value.kind}
          queue={queue}
          of={answer.of}
          select={asking.value.select}
          what={asking.value.what + asking.value.beyond}
          size={asking.value.size}
          onClose={() => (asking.value = undefined)}
          onDone={done}
        />
      )}
    </View>
  );
}

function ActDialog({
  kind,
  ...props
}: { readonly kind: 'replay' | 'drop' } & Parameters<typeof ReplayDialog>[0]) {
  return kind === 'replay' ? <ReplayDialog {...props} /> : <DropDialog {...props} />;
}

/** What an act is about. */
interface Choice {
  readonly select: Selection;
  readonly what: string;
  readonly size: number;
  /** What else it is about and nobody has counted; '' for nothing. */
  readonly beyond: string;
}

/** Marked letters, else the group or search that is listed, else all. */
function chosen(answer: LettersAnswer, marked: ReadonlySet<string>, { group, text }: Filter): Choice {
  const { total, reading } = answer;
  if (marked.size > 0)
    return { select: { keys: [...marked] }, what: 'marked', size: marked.size, beyond: '' };
  const search = text ? { text } : {};
  if (!group && !text)
    return { select: { all: true }, what: 'of the queue', size: reading.messages, beyond: '' };
  return {
    select: group ? { group, ...search } : { all: true, ...search },
    what: group ? 'of this group' : 'that match',
    size: total,
    beyond:
      reading.read < reading.messages ? ` among the first ${count(reading.read)}, and all further back` : '',
  };
}

interface ChosenProps {
  readonly choice: Choice;
  readonly marked: Signal<ReadonlySet<string>>;
  readonly ask: (what: 'replay' | 'drop') => void;
}

function Chosen({ choice: { what, size, beyond }, marked, ask }: ChosenProps) {
  if (!(may('dead.replay') || may('dead.drop'))) return null;
  const tooMany = marked.value.size > 500;
  return (
    <div class="chosen">
      {may('dead.replay') && (
        <Button
          icon="replay"
          kind={marked.value.size > 0 ? 'main' : 'plain'}
          disabled={tooMany}
          onClick={() => ask('replay')}
        >
          Replay {count(size)}
          {beyond && '+'} {what}
        </Button>
      )}
      {may('dead.drop') && (
        <Button icon="drop" kind="danger" disabled={tooMany} onClick={() => ask('drop')}>
          Drop
        </Button>
      )}
      {tooMany && <span class="faint">At most 500 can be marked; choose a group for more.</span>}
      {marked.value.size > 0 && (
        <Button kind="quiet" onClick={() => void (marked.value = new Set())}>
          Unmark
        </Button>
      )}
    </div>
  );
}

function Summary({ answer, onAll }: { readonly answer: LettersAnswer; readonly onAll: () => void }) {
  const { reading, total } = answer;
  return (
    <>
      <span>{counted(total, 'letter')}</span>
      <span>
        read <Ago at={reading.at} />
      </span>
      {reading.read < reading.messages && (
        <span class="warn-text">
          the first {count(reading.read)} of {count(reading.messages)}{' '}
          <Button kind="quiet" onClick={onAll}>
            Read more
          </Button>
        </span>
      )}
      {reading.looks > 5 && (
        <span class="warn-text">
          read {reading.looks} times: the broker drops a letter that is read too often
        </span>
      )}
    </>
  );
}

function Groups({ answer, group }: { readonly answer: LettersAnswer; readonly group: string | undefined }) {
  if (answer.groups.length < 2) return null;
  return (
    <div class="groups" role="group" aria-label="Groups">
      <button type="button" aria-pressed={group === undefined} onClick={() => goQuery({ group: undefined })}>
        All <b>{count(answer.reading.read)}</b>
      </button>
      {answer.groups.map((each) => (
        <button
          key={each.key}
          type="button"
          aria-pressed={group === each.key}
          title={[each.handler, each.example, each.shape].filter(Boolean).join('\n')}
          onClick={() => goQuery({ group: each.key })}
        >
          <GroupName group={each} /> {each.handler && <span class="faint">{each.handler}</span>}{' '}
          <b>{count(each.count)}</b>
        </button>
      ))}
    </div>
  );
}

const columns: readonly Column<LetterRow>[] = [
  {
    key: 'error',
    title: 'Error',
    width: 'minmax(150px, 1fr)',
    cell: (row) => <GroupName group={row} />,
    sort: ({ error, reason }) => error ?? reason ?? '',
  },
  {
    key: 'message',
    title: 'Message',
    width: 'minmax(160px, 2fr)',
    from: 720,
    cell: ({ errorMessage }) => (
      <span class="faint" title={errorMessage ?? undefined}>
        {errorMessage}
      </span>
    ),
  },
  {
    key: 'handler',
    title: 'Handler',
    width: 'minmax(110px, 1fr)',
    from: 980,
    cell: ({ handler }) => handler ?? <span class="faint">–</span>,
    sort: ({ handler }) => handler ?? '',
  },
  {
    key: 'id',
    title: 'Id',
    width: 'minmax(120px, 0.9fr)',
    from: 860,
    cell: ({ id }) => <Name>{id ?? undefined}</Name>,
    sort: ({ id }) => id ?? '',
  },
  {
    key: 'key',
    title: 'Routing key',
    width: 'minmax(100px, 0.8fr)',
    from: 1_160,
    cell: ({ routingKey }) => <Name>{routingKey ?? undefined}</Name>,
    sort: ({ routingKey }) => routingKey ?? '',
  },
  {
    key: 'attempts',
    title: 'Attempts',
    width: '64px',
    numeric: true,
    cell: ({ attempts, replayed }) => (
      <>
        {replayed > 0 && <Tag title={`replayed ${replayed} times before`}>again</Tag>}
        {attempts}
      </>
    ),
    sort: ({ attempts }) => attempts,
  },
  {
    key: 'failed',
    title: 'Failed',
    width: '96px',
    from: 640,
    numeric: true,
    cell: ({ failedAt }) => <Ago at={failedAt ?? undefined} />,
    sort: ({ failedAt }) => failedAt ?? 0,
  },
];

interface Letters {
  readonly state: Signal<Reading>;
  readonly reload: (how?: Record<string, string>) => void;
  readonly more: () => void;
}

/**
 * Pages of the list as one goes down. Reading a queue is not without effect on it: after the first time it is asked again only when
 * somebody wants that, and when a replay or drop of the queue waits or is over.
 */
function useLetters(queue: string, group: string | undefined, text: string | undefined): Letters {
  const nothing: Reading = {
    answer: undefined,
    filter: { group, text },
    letters: [],
    error: undefined,
    loading: false,
  };
  const state = useSignal(nothing);
  const running = useRef<AbortController | undefined>(undefined);
  const heard = useRef<Record<string, Job['state']>>({});
  const load = async (offset: number, how: Record<string, string> = {}): Promise<void> => {
    running.current?.abort();
    const { signal } = (running.current = new AbortController());
    const search = new URLSearchParams({
      offset: String(offset),
      limit: String(PAGE),
      ...(group && { group }),
      ...(text && { text }),
      ...how,
    });
    state.value = { ...state.peek(), loading: true };
    try {
      const answer = await get<LettersAnswer>(`dead-letters/${encodeURIComponent(queue)}?${search}`, signal);
      if (signal.aborted) return;
      const before = state.peek();
      // Of another reading, its letters do not follow those that are listed.
      if (offset > 0 && answer.reading.at !== before.answer?.reading.at) return await load(0);
      const letters = offset === 0 ? answer.letters : [...before.letters, ...answer.letters];
      state.value = { answer, filter: { group, text }, letters, error: undefined, loading: false };
    } catch (error) {
      if (!signal.aborted) state.value = { ...state.peek(), error: error as RequestError, loading: false };
    }
  };
  useEffect(() => {
    const first = setTimeout(() => void load(0), state.peek().answer ? 200 : 0);
    const leave = onChange((topic, data) => {
      if (topic === 'again' && state.peek().answer === undefined) void load(0);
      if (topic === 'job' && hasLeft(queue, data as Job, heard.current)) void load(0);
    });
    return () => {
      clearTimeout(first);
      leave();
      running.current?.abort();
    };
  }, [queue, group, text]);
  const more = (): void => {
    const { answer, letters, loading } = state.peek();
    if (answer && !loading && letters.length < answer.total && answer.letters.length > 0)
      void load(letters.length);
  };
  return { state, reload: (how) => void load(0, how), more };
}

/** Whether it held messages of the queue, and does not any more. What becomes of those that it sent is told later, by the same job. */
function hasLeft(queue: string, job: Job, heard: Record<string, Job['state']>): boolean {
  const before = heard[job.id];
  heard[job.id] = job.state;
  return job.queue === queue && job.state !== 'running' && job.state !== before;
}
