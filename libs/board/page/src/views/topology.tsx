// The topology as a drawing: exchanges, bindings, queues and handlers; what is not as declared is marked.
import { useSignal } from '@preact/signals';
import { useCallback, useMemo, useRef, useState } from 'preact/hooks';
import type { BindingEdge, TopologyAnswer } from '../../../src/api.js';
import { count, counted } from '../data/format.js';
import { useResource } from '../data/resource.js';
import { address, go, place } from '../data/router.js';
import { Button, Search } from '../parts/controls.js';
import { Loaded, View } from '../parts/page.js';
import { Pane, Section } from '../parts/pane.js';
import { NotKnown } from '../parts/unknown.js';
import { Empty, Fact, Facts, Name, Tag } from '../parts/words.js';
import { Drawing, markOf } from './topology-drawing.js';
import { isWrong, layout, type Part, shownOf, type Size } from './topology-layout.js';

export function Topology() {
  const answer = useResource<TopologyAnswer>('topology', [], 20_000);
  const search = useSignal('');
  const internal = useSignal(false);
  const wrong = useSignal(false);
  const [key] = place.value.path;
  const { data } = answer;
  const choice = { search: search.value, internal: internal.value, wrong: wrong.value };
  const [space, box, follow] = useSpace();
  const drawn = useMemo(
    () => data && layout(shownOf(data, choice), space),
    [data, space.width, space.height, ...Object.values(choice)],
  );
  const open = drawn?.parts.find(({ part }) => part.key === key)?.part;
  const problems = data
    ? [...data.exchanges, ...data.queues].filter(isWrong).length +
      data.bindings.filter(({ orphan }) => orphan).length
    : 0;
  return (
    <View
      title="Topology"
      summary={
        data && (
          <>
            <span>
              {counted(data.exchanges.length, 'exchange')}, {counted(data.queues.length, 'queue')}
            </span>
            {problems > 0 && <span class="warn-text">{count(problems)} not as declared</span>}
          </>
        )
      }
      tools={
        <>
          <Search
            label="Search exchanges, queues, keys"
            value={search.value}
            onInput={(text) => (search.value = text)}
          />
          <Button pressed={wrong.value} onClick={() => void (wrong.value = !wrong.value)}>
            Not as declared
          </Button>
          <Button
            pressed={internal.value}
            title="Wait queues, and what Warren uses itself"
            onClick={() => void (internal.value = !internal.value)}
          >
            Internal
          </Button>
        </>
      }
      pane={open && data && <PartPane key={open.key} part={open} bindings={data.bindings} />}
    >
      <Loaded from={answer}>
        {({ unknown, leftOut }) => (
          <>
            <div class="scroll" tabIndex={0} role="region" aria-label="Drawing of the topology" ref={follow}>
              {drawn && drawn.parts.length > 0 ? (
                <Drawing layout={drawn} open={key} box={box} height={space.height} />
              ) : (
                <Nothing wrong={wrong.value} searched={search.value !== ''} />
              )}
            </div>
            {leftOut > 0 && (
              <p class="stale">{count(leftOut)} parts are left out, since there are too many.</p>
            )}
            <NotKnown unknown={unknown} />
          </>
        )}
      </Loaded>
    </View>
  );
}

/** The size of an element from when it is there, the element, and what to give it as `ref`. */
function useSpace(): readonly [Size, HTMLElement | null, (element: HTMLElement | null) => void] {
  const [size, setSize] = useState<Size>({ width: 1_000, height: 700 });
  const [box, setBox] = useState<HTMLElement | null>(null);
  const observer = useRef<ResizeObserver | undefined>(undefined);
  const follow = useCallback((element: HTMLElement | null): void => {
    observer.current?.disconnect();
    setBox(element);
    if (element === null) return;
    const measure = (): void => setSize({ width: element.clientWidth, height: element.clientHeight });
    measure();
    observer.current = new ResizeObserver(measure);
    observer.current.observe(element);
  }, []);
  return [size, box, follow];
}

function Nothing({ wrong, searched }: { readonly wrong: boolean; readonly searched: boolean }) {
  if (searched) return <Empty title="Nothing matches">Change the search.</Empty>;
  if (wrong) return <Empty title="All is as declared">No drift and nothing that seems left behind.</Empty>;
  return (
    <Empty title="No topology yet">
      Exchanges and queues are drawn here when an application declares some.
    </Empty>
  );
}

function PartPane({ part, bindings }: { readonly part: Part; readonly bindings: readonly BindingEdge[] }) {
  const mark = markOf(part);
  const around = bindings.filter(
    ({ source, destination, destinationKind }) =>
      (part.kind === 'exchange' && source === part.name) ||
      (destinationKind === part.kind && destination === part.name),
  );
  return (
    <Pane
      title={part.name}
      sub={
        <>
          <span>{part.kind}</span>
          {mark && <Tag tone="warn">{mark}</Tag>}
        </>
      }
      onClose={() => go(address('topology'))}
    >
      {part.kind === 'handler' ? <HandlerLink name={part.name} /> : <NodeFacts part={part} />}
      {part.kind !== 'handler' && <Bindings around={around} />}
    </Pane>
  );
}

/** `shop Orders.place`: the service, and the handler. */
function HandlerLink({ name }: { readonly name: string }) {
  const [service, ...rest] = name.split(' ');
  return (
    <Section title="Handler">
      <a href={address('handlers', [service, rest.join(' ')])}>Show what it does</a>
    </Section>
  );
}

function NodeFacts({ part }: { readonly part: Exclude<Part, { readonly kind: 'handler' }> }) {
  const node = part.kind === 'queue' ? part.queue : part.exchange;
  const given = Object.entries(node.arguments);
  return (
    <>
      {node.drift.length > 0 && (
        <Section title="Not as declared">
          <ul class="lines">
            {node.drift.map(({ field, declared, actual }) => (
              <li key={field}>
                <code>{field}</code>
                <span>
                  declared {declared}, is <b class="warn-text">{actual}</b>
                </span>
              </li>
            ))}
          </ul>
        </Section>
      )}
      <Section title={part.kind === 'queue' ? 'Queue' : 'Exchange'}>
        <Facts>
          <Fact name="Type">{node.type ?? 'unknown'}</Fact>
          <Fact name="For">{purposes[node.purpose]}</Fact>
          <Fact name="Durable" hidden={node.durable === null}>
            {node.durable ? 'yes' : 'no'}
          </Fact>
          {part.kind === 'queue' && (
            <>
              <Fact name="Messages">
                {part.queue.messages === null ? 'unknown' : count(part.queue.messages)}
              </Fact>
              <Fact name="Consumers">
                {part.queue.consumers === null ? 'unknown' : count(part.queue.consumers)}
              </Fact>
              <Fact name="Handlers">{part.queue.handlers.join(', ') || 'none known'}</Fact>
              <Fact name="Dead letters" hidden={part.queue.purpose !== 'dead'}>
                <a href={address('dead-letters', [part.name])}>Show them</a>
              </Fact>
            </>
          )}
          <Fact name="Declared by">{node.declaredBy.join(', ') || 'nobody here'}</Fact>
          {given.map(([name, value]) => (
            <Fact key={name} name={name}>
              <code>{typeof value === 'string' ? value : JSON.stringify(value)}</code>
            </Fact>
          ))}
        </Facts>
      </Section>
    </>
  );
}

const purposes = {
  work: 'work',
  dead: 'dead letters',
  wait: 'waiting',
  internal: 'Warren itself',
  other: 'something else',
} as const;

/** Bindings that are listed at most. */
const MOST_BINDINGS = 200;

function Bindings({ around }: { readonly around: readonly BindingEdge[] }) {
  const more = around.length - MOST_BINDINGS;
  return (
    <Section title={`Bindings (${count(around.length)})`}>
      {around.length === 0 && <p class="faint">None.</p>}
      <ul class="bindings">
        {around.slice(0, MOST_BINDINGS).map((binding) => {
          const { source, destination, key, declared, exists, orphan } = binding;
          return (
            <li key={`${source} ${destination} ${key} ${JSON.stringify(binding.arguments)}`}>
              <Name>{source}</Name>
              <span class="faint">→</span>
              <Name>{destination}</Name>
              <code class="faint">{key || '(no key)'}</code>
              {orphan && <Tag tone="warn">perhaps left behind</Tag>}
              {declared && exists === false && <Tag tone="bad">missing on the broker</Tag>}
            </li>
          );
        })}
      </ul>
      {more > 0 && <p class="faint">{counted(more, 'further binding')}: open the other end to see it.</p>}
    </Section>
  );
}
