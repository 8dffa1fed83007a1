// The live tail: messages of an exchange as they pass, copies that no consumer misses.
import { signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { ErrorAnswer, ExchangesAnswer, TailMessage } from '../../../src/api.js';
import { apiUrl, refusalOf } from '../data/client.js';
import { bytes, count, timeOfDay } from '../data/format.js';
import { useResource } from '../data/resource.js';
import { address, goQuery, place } from '../data/router.js';
import { BodySection, FieldsSection } from '../parts/body.js';
import { Button, Search, Text } from '../parts/controls.js';
import { View } from '../parts/page.js';
import { Pane, Section } from '../parts/pane.js';
import { type Column, Table } from '../parts/table.js';
import { At, Empty, Fact, Facts, Name, Target } from '../parts/words.js';

/** A message, or that some were left out. */
interface Row {
  readonly key: string;
  readonly message?: TailMessage;
  readonly skipped?: number;
}

/** Messages that are kept; the oldest go first. */
const MOST = 2_000;

/** How often the list changes at most, in ms: it can be read while many come. */
const PACE = 250;

const rows = signal<readonly Row[]>([]);

type State = 'stopped' | 'starting' | 'running';

/** One stream at a time; it ends with the view. */
function useTail() {
  const state = useSignal<State>('stopped');
  const problem = useSignal<string | undefined>(undefined);
  const source = useRef<EventSource | undefined>(undefined);
  const stop = (why?: string): void => {
    source.current?.close();
    state.value = 'stopped';
    problem.value = why;
  };
  const start = (exchange: string, keys: readonly string[]): void => {
    stop();
    rows.value = [];
    state.value = 'starting';
    const url = apiUrl('tail');
    url.search = new URLSearchParams([['exchange', exchange], ...keys.map((key) => ['key', key])]).toString();
    const stream = (source.current = new EventSource(url));
    const add = collector();
    stream.addEventListener('ready', () => (state.value = 'running'));
    stream.addEventListener('message', ({ data }: MessageEvent<string>) =>
      add({ message: JSON.parse(data) as TailMessage }),
    );
    stream.addEventListener('skipped', ({ data }: MessageEvent<string>) =>
      add({ skipped: (JSON.parse(data) as { count: number }).count }),
    );
    stream.addEventListener('failed', ({ data }: MessageEvent<string>) => {
      const { error } = JSON.parse(data) as ErrorAnswer;
      stop(textOfError(error));
    });
    stream.addEventListener('error', () => {
      if (state.peek() === 'stopped') return;
      const refused = stream.readyState === EventSource.CLOSED;
      stop('The stream ended. The application may be away.');
      if (refused)
        void refusalOf(url).then((why) => why && source.current === stream && stop(textOfError(why)));
    });
  };
  useEffect(() => {
    const leave = (): void => stop();
    addEventListener('pagehide', leave);
    return () => {
      removeEventListener('pagehide', leave);
      source.current?.close();
    };
  }, []);
  return { state, problem, start, stop };
}

const textOfError = ({ message, help }: { readonly message: string; readonly help: string }): string =>
  `${message} ${help}`;

let number = 0;

function collector(): (row: Omit<Row, 'key'>) => void {
  let batch: Row[] = [];
  return (row) => {
    if (batch.length === 0)
      setTimeout(() => {
        rows.value = [...batch.reverse(), ...rows.peek()].slice(0, MOST);
        batch = [];
      }, PACE);
    batch.push({ key: String(++number), ...row });
  };
}

export function Tail() {
  const { query } = place.value;
  const tail = useTail();
  const search = useSignal('');
  const open = useSignal<Row | undefined>(undefined);
  const exchange = useSignal(query.exchange ?? 'events');
  const keys = useSignal(query.key ?? '#');
  const { data } = useResource<ExchangesAnswer>('exchanges', [], 60_000);
  const running = tail.state.value !== 'stopped';
  const found = rows.value.filter((row) => textOf(row).includes(search.value.toLowerCase()));
  const start = (): void => {
    goQuery({ exchange: exchange.value, key: keys.value });
    tail.start(exchange.value.trim(), keys.value.split(/[\s,]+/).filter(Boolean));
  };
  return (
    <View
      title="Live tail"
      summary={
        <>
          {tail.state.value === 'running' && (
            <span>{count(rows.value.filter(({ message }) => message).length)} shown</span>
          )}
          {tail.state.value === 'starting' && <span>starting</span>}
        </>
      }
      tools={
        <Search label="Search what has come" value={search.value} onInput={(text) => (search.value = text)} />
      }
      pane={
        open.value?.message && (
          <MessagePane
            key={open.value.key}
            message={open.value.message}
            onClose={() => (open.value = undefined)}
          />
        )
      }
    >
      <form
        class="inline"
        onSubmit={(event) => {
          event.preventDefault();
          if (running) tail.stop();
          else start();
        }}
      >
        <Text
          label="Exchange"
          mono
          value={exchange.value}
          onInput={(text) => (exchange.value = text)}
          options={data?.exchanges.map(({ name }) => name)}
          required
        />
        <Text
          label="Keys or patterns"
          mono
          value={keys.value}
          onInput={(text) => (keys.value = text)}
          placeholder="#"
        />
        <Button type="submit" kind={running ? 'plain' : 'main'} icon={running ? 'pause' : 'play'}>
          {running ? 'Stop' : 'Start'}
        </Button>
      </form>
      {tail.problem.value && (
        <p class="stale" role="alert">
          {tail.problem.value}
        </p>
      )}
      <Table
        label="Messages as they pass, the newest first"
        rows={found}
        columns={columns}
        keyOf={({ key }) => key}
        open={open.value?.key}
        onOpen={(row) => void (open.value = row)}
        second={({ message }) => message && <span>{oneLine(message)}</span>}
        empty={<Nothing state={tail.state.value} any={rows.value.length > 0} />}
      />
    </View>
  );
}

function Nothing({ state, any }: { readonly state: State; readonly any: boolean }) {
  if (any) return <Empty title="Nothing matches">Change the search: it covers what has come.</Empty>;
  if (state === 'starting')
    return <Empty title="Starting">What passes before the broker has agreed is not shown.</Empty>;
  if (state === 'running')
    return (
      <Empty title="Nothing has passed yet">
        Messages are shown from now on. Those that are already in queues are not.
      </Empty>
    );
  return (
    <Empty title="See messages as they pass">
      Choose an exchange and start. The messages are copies: consumers get theirs as always.
    </Empty>
  );
}

const oneLine = ({ body }: TailMessage): string => body.text.slice(0, 600).replace(/\s+/g, ' ');

const textOf = ({ message }: Row): string =>
  message === undefined
    ? ''
    : [message.routingKey, message.id, message.by, message.correlationId, message.body.text]
        .join(' ')
        .toLowerCase();

const columns: readonly Column<Row>[] = [
  { key: 'at', title: 'Time', width: '96px', cell: ({ message }) => message && timeOfDay(message.at) },
  {
    key: 'key',
    title: 'Routing key',
    width: 'minmax(130px, 1fr)',
    cell: ({ message, skipped }) =>
      message ? (
        <Name>{message.routingKey}</Name>
      ) : (
        <span class="warn-text">{count(skipped ?? 0)} more came, too fast to show</span>
      ),
  },
  { key: 'by', title: 'From', width: 'minmax(70px, 0.6fr)', from: 760, cell: ({ message }) => message?.by },
  {
    key: 'body',
    title: 'Body',
    width: 'minmax(180px, 3fr)',
    from: 640,
    cell: ({ message }) => message && <code class="name faint">{oneLine(message)}</code>,
  },
  {
    key: 'size',
    title: 'Size',
    width: '64px',
    from: 900,
    numeric: true,
    cell: ({ message }) => message && bytes(message.body.bytes),
  },
];

function MessagePane({ message, onClose }: { readonly message: TailMessage; readonly onClose: () => void }) {
  const { exchange, routingKey, id, correlationId, by, contentType, at, headers, body } = message;
  return (
    <Pane
      title={routingKey || exchange}
      sub={by && <span>from {by}</span>}
      onClose={onClose}
      actions={
        id !== null && (
          <a class="button" href={address('journey', [id])}>
            Journey
          </a>
        )
      }
    >
      <BodySection body={body} />
      <Section title="Message">
        <Facts>
          <Fact name="Passed">
            <At at={at} />
          </Fact>
          <Fact name="Published to">
            <Target exchange={exchange} routingKey={routingKey} />
          </Fact>
          <Fact name="Id">
            <Name>{id ?? undefined}</Name>
          </Fact>
          <Fact name="Correlation id" hidden={correlationId === null}>
            <code>{correlationId}</code>
          </Fact>
          <Fact name="Content type">{contentType ?? 'none'}</Fact>
        </Facts>
      </Section>
      <FieldsSection title="Headers" fields={headers} />
    </Pane>
  );
}
