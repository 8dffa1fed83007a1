// Services and their instances: who runs, in which version, and how each gets along with the broker.
import { useSignal } from '@preact/signals';
import type { InstanceInfo, InstanceRow, ServiceRow, ServicesAnswer } from '../../../src/api.js';
import { count, counted } from '../data/format.js';
import { happened } from '../data/live.js';
import { useResource } from '../data/resource.js';
import { address, go, place } from '../data/router.js';
import { Search } from '../parts/controls.js';
import { Loaded, View } from '../parts/page.js';
import { Pane, Section } from '../parts/pane.js';
import { type Column, Table } from '../parts/table.js';
import { NotKnown } from '../parts/unknown.js';
import { Ago, At, Empty, Fact, Facts, Since, Tag, type Tone } from '../parts/words.js';

/** A service, or one of its instances below it. */
interface Row {
  readonly service: ServiceRow;
  readonly instance?: InstanceRow;
}

export function Services() {
  const answer = useResource<ServicesAnswer>('services', ['event'], 8_000);
  const search = useSignal('');
  const [id] = place.value.path;
  const services = answer.data?.services ?? [];
  const rows = services.flatMap((service): Row[] => [
    { service },
    ...service.instances.map((instance) => ({ service, instance })),
  ]);
  const found = rows.filter((row) => textOf(row).includes(search.value.toLowerCase()));
  const all = services.flatMap(({ instances }) => instances);
  const open = all.find((each) => each.id === id);
  const away = all.filter(({ state }) => state !== 'running').length;
  return (
    <View
      title="Services"
      summary={
        answer.data && (
          <>
            <span>
              {counted(services.length, 'service')}, {counted(all.length, 'instance')}
            </span>
            {away > 0 && <span class="bad-text">{count(away)} not running</span>}
          </>
        )
      }
      tools={
        <Search
          label="Search services, machines, versions"
          value={search.value}
          onInput={(text) => (search.value = text)}
        />
      }
      pane={open && <InstancePane instance={open} />}
    >
      <Loaded from={answer}>
        {({ unknown }) => (
          <>
            <Table
              label="Services and their instances"
              rows={found}
              columns={columns}
              keyOf={({ service, instance }) => instance?.id ?? `service ${service.service}`}
              open={id}
              onOpen={({ instance, service }) => {
                const shown = instance ?? service.instances[0];
                if (shown !== undefined) go(address('services', [shown.id]));
              }}
              tone={({ instance }) => (instance ? undefined : 'strong')}
              second={(row) => <Second {...row} />}
              empty={
                services.length === 0 ? (
                  <None />
                ) : (
                  <Empty title="No service matches">Change the search.</Empty>
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

const textOf = ({ service, instance }: Row): string =>
  [
    service.service,
    instance?.host,
    instance?.pid,
    instance?.applicationVersion,
    instance?.version,
    instance?.connection,
  ]
    .join(' ')
    .toLowerCase();

function None() {
  return (
    <Empty title="No service answers">
      Services are seen here when they have the option <code>fleet</code>, and this one while it runs.
    </Empty>
  );
}

function Second({ service, instance }: Row) {
  if (instance === undefined) return <span>{versions(service)}</span>;
  return (
    <>
      <span>{instance.applicationVersion ?? 'unknown version'}</span>
      <span>
        up <Since at={instance.startedAt} />
      </span>
    </>
  );
}

/** One version, or all that run at the same time. */
function versions({ instances }: ServiceRow): string {
  const all = [
    ...new Set(instances.map(({ applicationVersion }) => applicationVersion ?? 'unknown version')),
  ];
  return all.join(', ');
}

export function stateOf({ state, info }: InstanceRow): { readonly text: string; readonly tone: Tone } {
  if (state === 'missing') return { text: 'does not answer', tone: 'bad' };
  if (state === 'failed') return { text: 'unreadable answer', tone: 'bad' };
  if (state === 'closing') return { text: 'shutting down', tone: 'warn' };
  const away = info?.connections.filter((each) => each.state !== 'open' && each.state !== 'idle').length ?? 0;
  if (away > 0) return { text: 'broker away', tone: 'bad' };
  const notReady = info?.consumers.filter(({ ready }) => !ready).length ?? 0;
  if (notReady > 0) return { text: `${notReady} not ready`, tone: 'bad' };
  if (info?.connections.some(({ blocked }) => blocked)) return { text: 'blocked', tone: 'warn' };
  return { text: 'running', tone: 'plain' };
}

const inFlight = (info: InstanceInfo): number => info.consumers.reduce((sum, each) => sum + each.inFlight, 0);

/** A figure of what an instance tells, or of all instances of a service together. */
function Figure({
  row: { service, instance },
  of,
}: {
  readonly row: Row;
  readonly of: (info: InstanceInfo) => number;
}) {
  const infos = (instance ? [instance] : service.instances).flatMap(({ info }) => info ?? []);
  if (infos.length === 0) return <span class="faint">–</span>;
  const sum = infos.reduce((all, info) => all + of(info), 0);
  return sum === 0 ? <span class="faint">0</span> : <span>{count(sum)}</span>;
}

const figure = (
  key: string,
  title: string,
  width: string,
  from: number,
  of: (info: InstanceInfo) => number,
): Column<Row> => ({
  key,
  title,
  width,
  from,
  numeric: true,
  cell: (row) => <Figure row={row} of={of} />,
});

const columns: readonly Column<Row>[] = [
  {
    key: 'name',
    title: 'Service, instance',
    width: 'minmax(150px, 2fr)',
    cell: ({ service, instance }) =>
      instance ? (
        <>
          <span class="within">
            {instance.host} <span class="faint">process {instance.pid}</span>{' '}
            {instance.connection !== 'default' && <span class="faint">{instance.connection}</span>}
          </span>
          {instance.here && <Tag>this one</Tag>}
        </>
      ) : (
        service.service
      ),
  },
  {
    key: 'version',
    title: 'Version',
    width: 'minmax(90px, 1fr)',
    from: 640,
    cell: ({ service, instance }) =>
      instance ? (
        (instance.applicationVersion ?? <span class="faint">unknown</span>)
      ) : (
        <span class="faint">{versions(service)}</span>
      ),
  },
  {
    key: 'warren',
    title: 'Warren',
    width: '72px',
    from: 900,
    cell: ({ instance }) => instance && <span class="faint">{instance.version}</span>,
  },
  {
    key: 'up',
    title: 'Up for',
    width: '90px',
    from: 700,
    cell: ({ instance }) => instance && <Since at={instance.startedAt} />,
  },
  figure('handlers', 'Handlers', '68px', 760, ({ handlers }) => handlers.length),
  figure('flight', 'In flight', '68px', 640, inFlight),
  figure('unsent', 'To send', '68px', 820, ({ publishing }) => publishing.waiting + publishing.unconfirmed),
  figure('waiting', 'Waiting', '68px', 960, ({ waiting }) => waiting),
  figure('calls', 'Calls', '56px', 1_040, ({ pendingCalls }) => pendingCalls),
  {
    key: 'state',
    title: 'State',
    width: '126px',
    cell: ({ service, instance }) => {
      if (instance) return <Tag tone={stateOf(instance).tone}>{stateOf(instance).text}</Tag>;
      const tones = service.instances.map((each) => stateOf(each).tone);
      const [all, well] = [tones.length, tones.filter((tone) => tone === 'plain').length];
      if (well < all)
        return <Tag tone={tones.includes('bad') ? 'bad' : 'warn'}>{`${all - well} of ${all} affected`}</Tag>;
      return <span class="faint">{counted(all, 'instance')}</span>;
    },
  },
];

function InstancePane({ instance }: { readonly instance: InstanceRow }) {
  const { service, host, pid, info, error, startedAt, id, version, applicationVersion, connection, here } =
    instance;
  const { text, tone } = stateOf(instance);
  return (
    <Pane
      title={`${service} on ${host}`}
      sub={
        <>
          <span>process {pid}</span>
          <Tag tone={tone === 'plain' ? 'good' : tone}>{text}</Tag>
        </>
      }
      onClose={() => go(address('services'))}
    >
      {error && (
        <Section title="Its answer cannot be read">
          <p class="bad-text">{error}</p>
        </Section>
      )}
      <Section title="Instance">
        <Facts>
          <Fact name="Version of the application">{applicationVersion ?? 'unknown'}</Fact>
          <Fact name="Version of Warren">{version}</Fact>
          <Fact name="Started">
            <At at={startedAt} />
          </Fact>
          <Fact name="Connection">{connection}</Fact>
          <Fact name="Id">
            <code>{id}</code>
          </Fact>
          <Fact name="Plugins" hidden={info === null}>
            {info?.plugins.join(', ') || 'none'}
          </Fact>
        </Facts>
      </Section>
      {info && <Info info={info} service={service} />}
      {here && <Lately />}
    </Pane>
  );
}

function Info({ info, service }: { readonly info: InstanceInfo; readonly service: string }) {
  const { publishing, waiting, pendingCalls } = info;
  return (
    <>
      <Section title="Connections">
        <ul class="lines">
          {info.connections.map(({ name, state, blocked }) => (
            <li key={name}>
              <code>{name}</code>
              <Tag tone={blocked ? 'warn' : state === 'open' || state === 'idle' ? 'plain' : 'bad'}>
                {blocked ? 'blocked by the broker' : state}
              </Tag>
            </li>
          ))}
        </ul>
      </Section>
      <Section title="Queues that it consumes">
        {info.consumers.length === 0 && <p class="faint">None.</p>}
        <ul class="lines">
          {info.consumers.map(({ queue, ready, inFlight: now }) => (
            <li key={queue}>
              <code>{queue}</code>
              <span>
                {count(now)} in flight {!ready && <Tag tone="bad">not ready</Tag>}
              </span>
            </li>
          ))}
        </ul>
      </Section>
      <Section title="Handlers">
        {info.handlers.length === 0 && <p class="faint">None.</p>}
        <ul class="lines">
          {info.handlers.map((handler) => (
            <li key={handler}>
              <a href={address('handlers', [service, handler])}>{handler}</a>
            </li>
          ))}
        </ul>
      </Section>
      <Section title="On its way">
        <Facts>
          <Fact name="Publishes without a confirm">{count(publishing.unconfirmed)}</Fact>
          <Fact name="Publishes in its buffer">{count(publishing.waiting)}</Fact>
          <Fact name="Waiting for a retry or a delay">{count(waiting)}</Fact>
          <Fact name="Calls without an answer">{count(pendingCalls)}</Fact>
        </Facts>
      </Section>
    </>
  );
}

const levels = { info: 'plain', warning: 'warn', error: 'bad' } as const;

/** What happened in this process since the page was opened. */
function Lately() {
  return (
    <Section title="What happened since you opened this page">
      {happened.value.length === 0 && <p class="faint">Nothing yet.</p>}
      <ul class="happened">
        {happened.value.map(({ at, kind, level, text, view }, index) => (
          <li key={`${at} ${index}`}>
            <Ago at={at} />
            <Tag tone={levels[level]}>{kind}</Tag>
            <span>
              {text} {view && <a href={address(view)}>Show</a>}
            </span>
          </li>
        ))}
      </ul>
    </Section>
  );
}
