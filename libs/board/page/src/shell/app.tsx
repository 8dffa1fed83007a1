// The frame of the page: top bar, navigation, the view, notices.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { zone, zoneName } from '../data/format.js';
import { live, tick } from '../data/live.js';
import { theme } from '../data/preferences.js';
import { address, place } from '../data/router.js';
import { loadSession, session, sessionError } from '../data/session.js';
import { Button } from '../parts/controls.js';
import { Dialog } from '../parts/dialog.js';
import { Icon } from '../parts/icons.js';
import { Notices } from '../parts/notices.js';
import { Empty, Failed, Since, Tag } from '../parts/words.js';
import { startKeys } from './keys.js';
import { firstView, views } from './views.js';

export function App() {
  const help = useSignal(false);
  const menu = useSignal(false);
  useEffect(() => startKeys(views, () => (help.value = true)), []);
  const here = views.find(({ name }) => name === (place.value.view || firstView));
  const title = here?.title ?? 'No such view';
  useEffect(() => {
    document.title = `${title} · Warren`;
    menu.value = false;
  }, [title]);
  if (session.value === undefined) return <NoSession />;
  const Shown = here?.show;
  return (
    <div class={menu.value ? 'app menu-open' : 'app'}>
      <a class="skip" href="#main" onClick={(event) => skip(event)}>
        Skip to the view
      </a>
      <Bar onMenu={() => (menu.value = !menu.value)} menu={menu.value} onHelp={() => (help.value = true)} />
      <Navigation here={here?.name} />
      <div class="shade" onClick={() => (menu.value = false)} />
      <main id="main" tabIndex={-1}>
        {Shown ? (
          <Shown key={here.name} />
        ) : (
          <Empty title="There is no such view">
            <a href={address(firstView)}>Go to the handlers</a>
          </Empty>
        )}
      </main>
      <Notices />
      {help.value && <Keys onClose={() => (help.value = false)} />}
    </div>
  );
}

function skip(event: Event): void {
  event.preventDefault();
  document.querySelector<HTMLElement>('#main')?.focus();
}

function NoSession() {
  const error = sessionError.value;
  return <main class="alone">{error && <Failed error={error} retry={() => void loadSession()} />}</main>;
}

interface BarProps {
  readonly onMenu: () => void;
  readonly menu: boolean;
  readonly onHelp: () => void;
}

function Bar({ onMenu, menu, onHelp }: BarProps) {
  const { service, standAlone, who, rights } = session.value!;
  return (
    <header class="bar">
      <button
        type="button"
        class="button quiet bare menu"
        aria-label="Views"
        aria-expanded={menu}
        onClick={onMenu}
      >
        <Icon name="menu" />
      </button>
      <strong class="brand">Warren</strong>
      <span
        class="service"
        title={standAlone ? 'The board runs by itself' : 'The service that serves this board'}
      >
        {service}
      </span>
      <Connection />
      <span class="space" />
      {who !== null && (
        <span class="who" title={`Rights: ${rights.join(', ')}`}>
          {who}
        </span>
      )}
      {!rights.some((right) => right !== 'look') && <Tag title="Your rights: look">read-only</Tag>}
      <button
        type="button"
        class="button quiet zone"
        title="Times are shown in this zone: change it"
        onClick={() => (zone.value = zone.value === 'utc' ? 'local' : 'utc')}
      >
        <span>{zoneName.value}</span>
      </button>
      <ThemeSwitch />
      <button
        type="button"
        class="button quiet bare keys"
        aria-label="Keys"
        title="Keys (?)"
        onClick={onHelp}
      >
        <kbd>?</kbd>
      </button>
    </header>
  );
}

/** The broker as the process sees it, or that the process itself is away. */
function Connection() {
  const { state, since, why } = live.value;
  if (why !== undefined)
    return (
      <span class="state" role="status" title={`${why.message} ${why.help}`}>
        <Tag tone="bad">not live</Tag>
        <span class="faint">{why.message}</span>
      </span>
    );
  if (state !== 'open')
    return (
      <span class="state" role="status">
        <Tag tone={state === 'lost' ? 'bad' : 'plain'}>
          {state === 'lost' ? 'application away' : 'connecting'}
        </Tag>
        {state === 'lost' && (
          <span class="faint">
            for <Since at={since} />, asking again
          </span>
        )}
      </span>
    );
  const connections = tick.value?.connections ?? [];
  const away = connections.filter((each) => each.state !== 'open' && each.state !== 'idle');
  const blocked = connections.some((each) => each.blocked);
  if (tick.value?.closing) return <Tag tone="warn">shutting down</Tag>;
  if (away.length > 0)
    return (
      <Tag tone="bad" title={away.map(({ name, state: is }) => `${name}: ${is}`).join(', ')}>
        broker away
      </Tag>
    );
  if (blocked)
    return (
      <Tag tone="warn" title="The broker takes no messages for now: an alarm of memory or disk">
        broker blocked
      </Tag>
    );
  if (connections.length === 0) return <span class="state" />;
  return (
    <Tag tone="good" title={connections.map(({ name }) => name).join(', ')}>
      connected
    </Tag>
  );
}

const themes = { auto: ['light', 'auto'], light: ['dark', 'sun'], dark: ['auto', 'moon'] } as const;

function ThemeSwitch() {
  const [next, icon] = themes[theme.value];
  return (
    <Button
      icon={icon}
      kind="quiet"
      label={`Theme: ${theme.value}`}
      onClick={() => void (theme.value = next)}
    />
  );
}

function Navigation({ here }: { readonly here: string | undefined }) {
  const { version } = session.value!;
  return (
    <nav class="nav" aria-label="Views">
      <ul>
        {views.map(({ name, title, icon, key }) => (
          <li key={name}>
            <a
              href={address(name)}
              aria-current={name === here ? 'page' : undefined}
              title={`${title} (g ${key})`}
            >
              <Icon name={icon} />
              <span>{title}</span>
              <Count of={name} />
            </a>
          </li>
        ))}
      </ul>
      <p class="version">@warren/board {version}</p>
    </nav>
  );
}

/** How many there are of what the view shows, where that is known all the time. */
function Count({ of }: { readonly of: string }) {
  const now = tick.value;
  const values: Record<string, number | undefined> = {
    waiting: now?.waiting.messages,
    calls: now?.pendingCalls,
  };
  const value = values[of] ?? 0;
  return value > 0 ? <b>{value > 999 ? '999+' : value}</b> : null;
}

function Keys({ onClose }: { readonly onClose: () => void }) {
  const keys: readonly (readonly [string, string])[] = [
    ...views.map(({ key, title }) => [`g ${key}`, title] as const),
    ['/', 'Search'],
    ['↑ ↓', 'Move in a list'],
    ['Enter', 'Open'],
    ['Space', 'Mark'],
    ['Esc', 'Close'],
    ['?', 'These keys'],
  ];
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl class="keys">
        {keys.map(([key, text]) => (
          <div key={key}>
            <dt>
              {key.split(' ').map((each) => (
                <kbd key={each}>{each}</kbd>
              ))}
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
