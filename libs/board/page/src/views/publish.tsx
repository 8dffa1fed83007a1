// Publish: a test message or call, to a handler that is known or to any exchange.
import { useSignal } from '@preact/signals';
import type { ContractRow, ContractsAnswer, ExchangesAnswer } from '../../../src/api.js';
import { counted } from '../data/format.js';
import { useResource } from '../data/resource.js';
import { address, go, place } from '../data/router.js';
import { may } from '../data/session.js';
import { Button, Search } from '../parts/controls.js';
import { Loaded, View } from '../parts/page.js';
import { type Column, Table } from '../parts/table.js';
import { NotKnown } from '../parts/unknown.js';
import { Empty, Name, Tag, Target } from '../parts/words.js';
import { PublishPane } from './publish-pane.js';

/** In place of a handler: any exchange and key. */
const ANY = 'any';

export function Publish() {
  const answer = useResource<ContractsAnswer>('contracts', [], 60_000);
  const exchanges = useResource<ExchangesAnswer>('exchanges', [], 60_000);
  const search = useSignal('');
  const [chosen] = place.value.path;
  const contracts = answer.data?.contracts ?? [];
  const found = contracts.filter((each) => textOf(each).includes(search.value.toLowerCase()));
  const open = contracts.find((each) => keyOf(each) === chosen);
  const allowed = may('publish') || may('call');
  return (
    <View
      title="Publish"
      summary={answer.data && <span>{counted(contracts.length, 'handler')} of this service</span>}
      tools={
        <>
          <Search
            label="Search handlers, keys"
            value={search.value}
            onInput={(text) => (search.value = text)}
          />
          {may('publish') && (
            <Button icon="publish" onClick={() => go(address('publish', [ANY]))}>
              To any exchange
            </Button>
          )}
        </>
      }
      pane={
        (open !== undefined || (chosen === ANY && may('publish'))) && (
          <PublishPane
            key={chosen}
            name={chosen}
            contract={open}
            exchanges={exchanges.data?.exchanges.map(({ name }) => name) ?? []}
            onClose={() => go(address('publish'))}
          />
        )
      }
    >
      {!allowed && <p class="stale">You may look, not publish: that needs the right edit.</p>}
      <Loaded from={answer}>
        {({ unknown }) => (
          <>
            <Table
              label="Handlers that messages can be sent to"
              rows={found}
              columns={columns}
              keyOf={keyOf}
              open={chosen}
              onOpen={(row) => go(address('publish', [keyOf(row)]))}
              second={({ exchange, key }) => <Target exchange={exchange} routingKey={key} />}
              empty={
                contracts.length > 0 ? (
                  <Empty title="No handler matches">Change the search.</Empty>
                ) : (
                  <Empty title="This service has no handlers">
                    A message can be published to any exchange: see the button above.
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

/** A handler with several keys has a row for each. */
const keyOf = ({ handler, kind, exchange, key }: ContractRow): string =>
  `${handler} ${kind} ${exchange} ${key}`;

const textOf = (row: ContractRow): string => `${keyOf(row)} ${row.queue}`.toLowerCase();

const kinds = { event: 'publish', queue: 'send', rpc: 'call' } as const;

const columns: readonly Column<ContractRow>[] = [
  {
    key: 'handler',
    title: 'Handler',
    width: 'minmax(150px, 1.4fr)',
    cell: ({ handler }) => <strong>{handler}</strong>,
    sort: ({ handler }) => handler,
  },
  {
    key: 'kind',
    title: 'How',
    width: '84px',
    cell: ({ kind }) => <Tag tone={kind === 'rpc' ? 'accent' : 'plain'}>{kinds[kind]}</Tag>,
    sort: ({ kind }) => kind,
  },
  {
    key: 'key',
    title: 'Exchange, key',
    width: 'minmax(140px, 1.4fr)',
    from: 640,
    cell: ({ exchange, key }) => <Target exchange={exchange} routingKey={key} />,
    sort: ({ key }) => key,
  },
  {
    key: 'queue',
    title: 'Queue',
    width: 'minmax(120px, 1fr)',
    from: 900,
    cell: ({ queue }) => <Name>{queue}</Name>,
    sort: ({ queue }) => queue,
  },
  {
    key: 'schema',
    title: 'Schema',
    width: '72px',
    from: 760,
    cell: ({ schema }) => (schema === null ? <span class="faint">none</span> : 'yes'),
  },
];
