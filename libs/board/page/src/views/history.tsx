// History: who did what and when with this board, what failed or was refused too, the newest first.
import type { AuditRow, HistoryAnswer } from '../../../src/api.js';
import { count } from '../data/format.js';
import { useResource } from '../data/resource.js';
import { address, go, goQuery, place } from '../data/router.js';
import { Choice, Search, Select } from '../parts/controls.js';
import { Loaded, View } from '../parts/page.js';
import { Pane, Section } from '../parts/pane.js';
import { type Column, Table } from '../parts/table.js';
import { NotKnown } from '../parts/unknown.js';
import { Ago, At, Empty, Fact, Facts, Name, Tag, type Tone } from '../parts/words.js';

/** An act, with a key that stays the same when others are added. */
interface Row extends AuditRow {
  readonly key: string;
}

export function History() {
  const answer = useResource<HistoryAnswer>('history', ['audit'], 15_000);
  const { path, query } = place.value;
  const search = query.q ?? '';
  const rows = rowsOf(answer.data?.acts ?? []);
  const found = rows.filter((row) => wanted(row, search, query));
  const open = rows.find(({ key }) => key === path[0]);
  const failed = rows.filter(isBad).length;
  return (
    <View
      title="History"
      summary={
        answer.data && (
          <>
            <span>
              {found.length < rows.length
                ? `${count(found.length)} of ${count(rows.length)}`
                : count(rows.length)}
            </span>
            {failed > 0 && <span class="bad-text">{count(failed)} not done</span>}
          </>
        )
      }
      tools={<Tools rows={rows} search={search} />}
      pane={open && <ActPane key={open.key} row={open} onClose={() => go(address('history', [], query))} />}
    >
      <Loaded from={answer}>
        {({ unknown }) => (
          <>
            <Table
              label="Acts, the newest first"
              rows={found}
              columns={columns}
              keyOf={({ key }) => key}
              open={path[0]}
              onOpen={({ key }) => go(address('history', [key], query))}
              second={({ who, target, text }) => (
                <>
                  <span>{who ?? 'not named'}</span>
                  <span>{target || text}</span>
                </>
              )}
              empty={<Nothing any={rows.length > 0} />}
            />
            {rows.length > 0 && (
              <p class="unknown">
                Acts on the process that serves this page, the last 500 since it started. Its log has all of
                them, as lines <code>board-act</code>.
              </p>
            )}
            <NotKnown unknown={unknown} />
          </>
        )}
      </Loaded>
    </View>
  );
}

/** Acts have no id: those that look alike are numbered from the oldest. */
function rowsOf(acts: readonly AuditRow[]): readonly Row[] {
  const seen = new Map<string, number>();
  const rows = acts.toReversed().map((row): Row => {
    const key = `${row.at} ${row.act} ${row.result}`;
    const before = seen.get(key) ?? 0;
    seen.set(key, before + 1);
    return { ...row, key: before === 0 ? key : `${key} ${before}` };
  });
  return rows.reverse();
}

const isBad = ({ result }: AuditRow): boolean => result === 'failed' || result === 'refused';

function wanted(row: Row, search: string, { who, only }: Readonly<Record<string, string>>): boolean {
  if (only === 'bad' && !isBad(row)) return false;
  if (who !== undefined && who !== nameOf(row)) return false;
  const text = [row.who, row.act, said(row.act), row.target, row.result, row.text, row.instance.host]
    .join(' ')
    .toLowerCase();
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

const nameOf = ({ who }: AuditRow): string => who ?? 'not named';

function Tools({ rows, search }: { readonly rows: readonly Row[]; readonly search: string }) {
  const { who = '', only = 'all' } = place.value.query;
  const names = [...new Set(rows.map(nameOf))].sort();
  if (who !== '' && !names.includes(who)) names.push(who);
  return (
    <>
      <Search label="Search acts, queues, handlers" value={search} onInput={(text) => goQuery({ q: text })} />
      {(names.length > 1 || who !== '') && (
        <Select
          label="Who"
          value={who}
          choices={[['', 'Everybody'], ...names.map((name) => [name, name] as const)]}
          onChange={(name) => goQuery({ who: name })}
        />
      )}
      <Choice
        label="Which acts"
        value={only}
        choices={[
          ['all', 'All'],
          ['bad', 'Not done'],
        ]}
        onChange={(value) => goQuery({ only: value === 'all' ? undefined : value })}
      />
    </>
  );
}

function Nothing({ any }: { readonly any: boolean }) {
  if (any) return <Empty title="No act matches">Change the search, or show all.</Empty>;
  return (
    <Empty title="Nobody has done anything yet">
      Replays, edits, drops, publishes and changes of handlers are listed here with who did them, and what was
      refused.
    </Empty>
  );
}

const sayings: Readonly<Record<string, string>> = {
  'dead.replay': 'Replay dead letters',
  'dead.edit': 'Edit a dead letter',
  'dead.drop': 'Drop dead letters',
  'job.continue': 'Replay the rest',
  'job.stop': 'Stop a replay or drop',
  'waiting.run-now': 'Run a waiting message now',
  publish: 'Publish',
  call: 'Call',
  'handler.pause': 'Pause a handler',
  'handler.resume': 'Resume a handler',
  'handler.prefetch': 'Change the prefetch',
  'handler.concurrency': 'Change the concurrency',
  'handler.rate': 'Change the rate limit',
};

const said = (act: string): string => sayings[act] ?? act;

const tones: Readonly<Record<AuditRow['result'], Tone>> = {
  done: 'plain',
  started: 'accent',
  failed: 'bad',
  refused: 'warn',
};

const columns: readonly Column<Row>[] = [
  { key: 'ago', title: 'When', width: '84px', cell: ({ at }) => <Ago at={at} />, sort: ({ at }) => -at },
  {
    key: 'at',
    title: 'Time',
    width: '190px',
    from: 1_100,
    cell: ({ at }) => <At at={at} />,
    sort: ({ at }) => at,
  },
  {
    key: 'who',
    title: 'Who',
    width: 'minmax(80px, 0.7fr)',
    from: 640,
    cell: ({ who }) => who ?? <span class="faint">not named</span>,
    sort: nameOf,
  },
  {
    key: 'act',
    title: 'Act',
    width: 'minmax(140px, 1.1fr)',
    cell: ({ act }) => <strong title={act}>{said(act)}</strong>,
    sort: ({ act }) => said(act),
  },
  {
    key: 'target',
    title: 'On what',
    width: 'minmax(130px, 1.4fr)',
    from: 640,
    cell: ({ target }) => <Name>{target}</Name>,
    sort: ({ target }) => target,
  },
  {
    key: 'text',
    title: 'What came of it',
    width: 'minmax(150px, 1.8fr)',
    from: 860,
    cell: ({ text }) => (
      <span class="faint" title={text}>
        {text}
      </span>
    ),
  },
  {
    key: 'result',
    title: 'Result',
    width: '76px',
    cell: ({ result }) => <Tag tone={tones[result]}>{result}</Tag>,
    sort: ({ result }) => result,
  },
];

function ActPane({ row, onClose }: { readonly row: Row; readonly onClose: () => void }) {
  const { at, act, target, result, text, instance } = row;
  const more = placeOf(row);
  return (
    <Pane
      title={said(act)}
      sub={
        <>
          <span>{nameOf(row)}</span>
          <Tag tone={tones[result]}>{result}</Tag>
        </>
      }
      onClose={onClose}
      actions={
        more && (
          <a class="button" href={more.href}>
            {more.title}
          </a>
        )
      }
    >
      <Section title="What came of it">
        <p class={isBad(row) ? 'why bad-text' : 'why'}>
          {text || <span class="faint">Nothing to tell.</span>}
        </p>
      </Section>
      <Section title="Act">
        <Facts>
          <Fact name="When">
            <At at={at} />
          </Fact>
          <Fact name="Act">
            <code>{act}</code>
          </Fact>
          <Fact name="On what" hidden={target === ''}>
            <code>{target}</code>
          </Fact>
          <Fact name="Process">
            {instance.service} on {instance.host}, process {instance.pid}
          </Fact>
        </Facts>
      </Section>
    </Pane>
  );
}

/** Where more of it can be seen. */
function placeOf({
  act,
  target,
  text,
  instance,
}: AuditRow): { readonly title: string; readonly href: string } | undefined {
  const [first, second] = target.split(' ');
  const message = /^message ([^\s,]+),/.exec(text)?.[1];
  if ((act === 'publish' || act === 'waiting.run-now') && message !== undefined)
    return { title: 'Journey', href: address('journey', [message]) };
  if (act.startsWith('dead.') && first !== '')
    return { title: 'Dead letters', href: address('dead-letters', [first]) };
  if (act.startsWith('handler.') && first !== '')
    // Of another service: `billing Payments.settle`.
    return {
      title: 'Handler',
      href: address('handlers', second ? [first, second] : [instance.service, first]),
    };
  return undefined;
}
