// Dead letters: queues with their groups; the letters of a queue; one letter beside them.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { DeadGroup, DeadQueueRow, DeadQueuesAnswer } from '../../../src/api.js';
import { count, counted } from '../data/format.js';
import { address, go, place } from '../data/router.js';
import { useResource } from '../data/resource.js';
import { Search } from '../parts/controls.js';
import { Loaded, View } from '../parts/page.js';
import { type Column, Table } from '../parts/table.js';
import { NotKnown } from '../parts/unknown.js';
import { Ago, Empty, Name, Tag } from '../parts/words.js';
import { Jobs } from './dead-jobs.js';
import { LetterList } from './letters.js';

export function DeadLetters() {
  const [queue] = place.value.path;
  return queue === undefined ? <Queues /> : <LetterList key={queue} queue={queue} />;
}

/** A queue, or one of its groups below it. */
interface Row {
  readonly queue: DeadQueueRow;
  readonly group?: DeadGroup;
}

function Queues() {
  const answer = useResource<DeadQueuesAnswer>('dead-letters', ['job'], 10_000);
  const search = useSignal('');
  const queues = answer.data?.queues ?? [];
  const rows = queues.flatMap((queue): Row[] => [
    { queue },
    ...queue.groups.map((group) => ({ queue, group })),
  ]);
  const found = rows.filter((row) => textOf(row).includes(search.value.toLowerCase()));
  const total = queues.reduce((sum, { messages }) => sum + (messages ?? 0), 0);
  useEffect(() => void (search.value = ''), []);
  return (
    <View
      title="Dead letters"
      summary={
        answer.data && (
          <span>
            {count(total)} in {counted(queues.filter(({ messages }) => messages).length, 'queue')}
          </span>
        )
      }
      tools={
        <Search
          label="Search queues, errors, handlers"
          value={search.value}
          onInput={(text) => (search.value = text)}
        />
      }
    >
      <Loaded from={answer}>
        {({ unknown }) => (
          <>
            <Jobs />
            <Table
              label="Dead-letter queues and their groups"
              rows={found}
              columns={columns}
              keyOf={({ queue, group }) => `${queue.queue}/${group?.key ?? ''}`}
              onOpen={({ queue, group }) => go(address('dead-letters', [queue.queue], { group: group?.key }))}
              second={({ queue, group }) => (
                <span>{group ? (group.example ?? group.shape) : queue.handlers.join(', ')}</span>
              )}
              tone={({ group }) => (group ? undefined : 'strong')}
              empty={
                queues.length === 0 ? (
                  <None />
                ) : (
                  <Empty title="Nothing matches">
                    Groups are known of queues that were read: open one to read it.
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

const textOf = ({ queue, group }: Row): string =>
  [queue.queue, ...queue.handlers, group?.error, group?.handler, group?.reason, group?.example]
    .join(' ')
    .toLowerCase();

function None() {
  return (
    <Empty title="No dead-letter queues">
      A handler that keeps its failures has one, named after its queue: <code>orders.dead</code>. No handler
      that is known here has any.
    </Empty>
  );
}

const columns: readonly Column<Row>[] = [
  {
    key: 'name',
    title: 'Queue, group',
    width: 'minmax(170px, 1.6fr)',
    cell: ({ queue, group }) =>
      group ? (
        <span class="within">
          <GroupName group={group} />
        </span>
      ) : (
        <Name>{queue.queue}</Name>
      ),
  },
  {
    key: 'about',
    title: 'Handler',
    width: 'minmax(120px, 1fr)',
    from: 900,
    cell: ({ queue, group }) =>
      group ? (
        (group.handler ?? <span class="faint">–</span>)
      ) : (
        <span class="faint">{queue.handlers.join(', ')}</span>
      ),
  },
  {
    key: 'example',
    title: 'Example',
    width: 'minmax(160px, 2fr)',
    from: 1_000,
    cell: ({ queue, group }) =>
      group ? (
        <span class="faint" title={group.example ?? group.shape}>
          {group.example ?? group.shape}
        </span>
      ) : (
        queue.error && <span class="warn-text">{queue.error}</span>
      ),
  },
  {
    key: 'newest',
    title: 'Newest',
    width: '108px',
    from: 640,
    cell: ({ queue, group }) =>
      group ? (
        <Ago at={group.newest ?? undefined} />
      ) : queue.reading ? (
        <span class="faint">
          read <Ago at={queue.reading.at} />
        </span>
      ) : (
        <span class="faint">not read yet</span>
      ),
  },
  {
    key: 'messages',
    title: 'Messages',
    width: '84px',
    numeric: true,
    cell: ({ queue, group }) => {
      if (group) return count(group.count);
      if (queue.messages === null)
        return (
          <span class="faint" title={queue.error ?? undefined}>
            unknown
          </span>
        );
      return queue.messages === 0 ? <span class="faint">0</span> : <strong>{count(queue.messages)}</strong>;
    },
  },
];

/** The class of the error, or why the broker dead-lettered it. */
export function GroupName({ group }: { readonly group: Pick<DeadGroup, 'error' | 'reason' | 'byBroker'> }) {
  if (group.byBroker)
    return (
      <>
        <Tag tone="warn">by the broker</Tag> {reasons[group.reason ?? ''] ?? group.reason ?? 'unknown'}
      </>
    );
  return (
    <span class="bad-text">{group.error ?? reasons[group.reason ?? ''] ?? group.reason ?? 'unknown'}</span>
  );
}

const reasons: Readonly<Record<string, string>> = {
  expired: 'expired',
  maxlen: 'queue was full',
  rejected: 'rejected',
  delivery_limit: 'delivered too often',
};
