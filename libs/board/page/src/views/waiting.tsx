// Waiting: retries and delayed messages, when each is due, and the queues that they wait in.
import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { WaitingAnswer, WaitingMessage, WaitQueue } from '../../../src/api.js';
import { bytes, count, counted, duration } from '../data/format.js';
import { useResource } from '../data/resource.js';
import { address, go, place } from '../data/router.js';
import { Search } from '../parts/controls.js';
import { Loaded, View } from '../parts/page.js';
import { type Column, Table } from '../parts/table.js';
import { NotKnown } from '../parts/unknown.js';
import { Ago, Empty, Name, Tag, Target } from '../parts/words.js';
import { WaitingPane } from './waiting-pane.js';

export function Waiting() {
  const answer = useResource<WaitingAnswer>('waiting', ['event', 'audit'], 4_000);
  const search = useSignal('');
  const queue = useSignal<string | undefined>(undefined);
  const messages = answer.data?.messages ?? [];
  const found = messages.filter(
    (each) =>
      (queue.value === undefined || each.queue === queue.value) &&
      textOf(each).includes(search.value.toLowerCase()),
  );
  const [key] = place.value.path;
  const shown = useShown(messages, key);
  const total = answer.data?.queues.reduce((sum, each) => sum + (each.messages ?? 0), 0) ?? 0;
  return (
    <View
      title="Waiting"
      summary={answer.data && <span>{counted(Math.max(total, messages.length), 'message')}</span>}
      tools={
        <Search
          label="Search ids, targets, services"
          value={search.value}
          onInput={(text) => (search.value = text)}
        />
      }
      pane={
        shown && (
          <WaitingPane
            key={key}
            message={shown}
            gone={!messages.includes(shown)}
            onClose={() => go(address('waiting'))}
            reload={answer.reload}
          />
        )
      }
    >
      <Loaded from={answer}>
        {({ queues, unknown }) => (
          <>
            <Queues queues={queues} chosen={queue.value} choose={(name) => (queue.value = name)} />
            <Table
              label="Waiting messages, the next first"
              rows={found}
              columns={columns}
              keyOf={keyOf}
              open={key}
              onOpen={(each) => go(address('waiting', [keyOf(each)]))}
              second={(each) => (
                <>
                  <span>{each.kind === 'retry' ? `attempt ${each.attempt ?? '?'}` : 'delayed'}</span>
                  <span>{each.instance.service}</span>
                </>
              )}
              empty={<Nothing any={messages.length > 0} queues={queues} />}
            />
            <NotKnown unknown={unknown} />
          </>
        )}
      </Loaded>
    </View>
  );
}

const keyOf = ({ instance, queue, id, due }: WaitingMessage): string =>
  `${instance.id} ${queue} ${id ?? ''} ${due}`;

/** The message that is open, as it was when it waits no more: it should not vanish while somebody reads it. */
function useShown(messages: readonly WaitingMessage[], key: string | undefined): WaitingMessage | undefined {
  const last = useRef<WaitingMessage | undefined>(undefined);
  const found = messages.find((each) => keyOf(each) === key);
  if (found !== undefined) last.current = found;
  if (key === undefined || (last.current && keyOf(last.current) !== key)) last.current = undefined;
  return last.current;
}

const textOf = ({ id, exchange, routingKey, queue, instance }: WaitingMessage): string =>
  [id, exchange, routingKey, queue, instance.service].join(' ').toLowerCase();

function Nothing({ any, queues }: { readonly any: boolean; readonly queues: readonly WaitQueue[] }) {
  if (any) return <Empty title="No message matches">Change the search, or choose another queue.</Empty>;
  if (queues.some(({ messages }) => messages))
    return (
      <Empty title="Only numbers are known">
        The messages wait in the queues above. Single ones are shown of instances that have the module of the
        board.
      </Empty>
    );
  return (
    <Empty title="Nothing waits">
      A message waits here after a failed attempt, until the next one, and when it is published with a delay.
    </Empty>
  );
}

interface QueuesProps {
  readonly queues: readonly WaitQueue[];
  readonly chosen: string | undefined;
  readonly choose: (queue: string | undefined) => void;
}

function Queues({ queues, chosen, choose }: QueuesProps) {
  const some = queues.filter(({ messages }) => messages !== 0);
  if (some.length === 0) return null;
  return (
    <div class="groups below" role="group" aria-label="Wait queues">
      <button type="button" aria-pressed={chosen === undefined} onClick={() => choose(undefined)}>
        All queues
      </button>
      {some.map(({ queue, service, kind, step, messages }) => (
        <button
          key={queue}
          type="button"
          aria-pressed={chosen === queue}
          title={queue}
          onClick={() => choose(queue)}
        >
          {kind === 'retry' ? 'retry' : 'delay'} {duration(step)} <span class="faint">{service}</span>{' '}
          <b>{messages === null ? '?' : count(messages)}</b>
        </button>
      ))}
    </div>
  );
}

const columns: readonly Column<WaitingMessage>[] = [
  { key: 'due', title: 'Due', width: '92px', cell: ({ due }) => <Ago at={due} />, sort: ({ due }) => due },
  {
    key: 'kind',
    title: 'Why',
    width: '84px',
    from: 640,
    cell: ({ kind }) => (
      <Tag tone={kind === 'retry' ? 'warn' : 'plain'}>{kind === 'retry' ? 'retry' : 'delayed'}</Tag>
    ),
    sort: ({ kind }) => kind,
  },
  {
    key: 'attempt',
    title: 'Attempt',
    width: '64px',
    from: 640,
    numeric: true,
    cell: ({ attempt }) => attempt ?? <span class="faint">–</span>,
    sort: ({ attempt }) => attempt ?? 0,
  },
  {
    key: 'to',
    title: 'Goes to',
    width: 'minmax(150px, 1.6fr)',
    cell: ({ exchange, routingKey }) => <Target exchange={exchange} routingKey={routingKey} />,
    sort: ({ exchange, routingKey }) => `${exchange} ${routingKey}`,
  },
  {
    key: 'queue',
    title: 'Waits in',
    width: 'minmax(130px, 1.4fr)',
    from: 900,
    cell: ({ queue }) => <Name>{queue}</Name>,
    sort: ({ queue }) => queue,
  },
  {
    key: 'instance',
    title: 'Held by',
    width: 'minmax(100px, 1fr)',
    from: 760,
    cell: ({ instance }) => (
      <span>
        {instance.service} <span class="faint">{instance.host}</span>
      </span>
    ),
    sort: ({ instance }) => instance.service,
  },
  {
    key: 'id',
    title: 'Id',
    width: 'minmax(110px, 1fr)',
    from: 1_000,
    cell: ({ id }) => <Name>{id ?? undefined}</Name>,
    sort: ({ id }) => id ?? '',
  },
  {
    key: 'bytes',
    title: 'Size',
    width: '64px',
    from: 1_100,
    numeric: true,
    cell: ({ bytes: size }) => bytes(size),
    sort: ({ bytes: size }) => size,
  },
];
