// What the server knows, kept per address: shown at once when one comes back to a view, and asked again when something
// changes, after a connection was lost, and every so often.
import { signal, type Signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { get, type RequestError } from './client.js';
import { onChange } from './live.js';

export interface Resource<T> {
  /** What came last; stays while it is asked again, and when that fails. */
  readonly data: T | undefined;
  /** Why the last request failed; undefined when it did not. */
  readonly error: RequestError | undefined;
  readonly loading: boolean;
}

interface Entry {
  readonly state: Signal<Resource<unknown>>;
  users: number;
  running: AbortController | undefined;
  again: boolean;
  /** When the last request began, by `performance.now()`. */
  begun: number;
  later: ReturnType<typeof setTimeout> | undefined;
}

const entries = new Map<string, Entry>();

/** Of addresses that nobody looks at. */
const MOST_KEPT = 50;

/** Between two requests for changes, in ms: changes may come by the dozen. */
const LEAST = 500;

/**
 * The resource at `path`, or an empty one. `topics`: kinds of changes after which it is asked again. `every`: in ms; Infinity for what
 * is asked once, and again only by `reload` or when it did not come.
 */
export function useResource<T>(
  path: string | undefined,
  topics: readonly string[] = [],
  every = 15_000,
): Resource<T> & { readonly reload: () => void } {
  const entry = path === undefined ? undefined : entryOf(path);
  const key = topics.join();
  useEffect(() => {
    if (path === undefined || entry === undefined) return undefined;
    entry.users++;
    void load(path, entry);
    const once = every === Infinity;
    const timer = once
      ? undefined
      : setInterval(() => document.visibilityState === 'visible' && void load(path, entry), every);
    const leave = onChange((topic) => {
      const lacks = topic === 'again' && !(once && entry.state.peek().data !== undefined);
      if (lacks || topics.includes(topic)) soon(path, entry);
    });
    return () => {
      entry.users--;
      clearInterval(timer);
      leave();
      if (entry.users === 0) entry.running?.abort();
    };
  }, [path, key, every]);
  const state = (entry?.state.value ?? nothing) as Resource<T>;
  return { ...state, reload: () => void (path !== undefined && entry && load(path, entry)) };
}

const nothing: Resource<unknown> = { data: undefined, error: undefined, loading: false };

function entryOf(path: string): Entry {
  let entry = entries.get(path);
  if (entry === undefined) {
    const state = signal({ ...nothing, loading: true });
    entry = { state, users: 0, running: undefined, again: false, begun: -LEAST, later: undefined };
    entries.set(path, entry);
    for (const [old, { users }] of entries) {
      if (entries.size <= MOST_KEPT) break;
      if (users === 0 && old !== path) entries.delete(old);
    }
  }
  return entry;
}

/** Asks because of a change: now, or with others a moment later. */
function soon(path: string, entry: Entry): void {
  const wait = Math.max(0, entry.begun + LEAST - performance.now());
  entry.later ??= setTimeout(() => {
    entry.later = undefined;
    if (entry.users > 0) void load(path, entry);
  }, wait);
}

/** One request at a time; whoever asks meanwhile is answered by one more. */
async function load(path: string, entry: Entry): Promise<void> {
  if (entry.running !== undefined) {
    entry.again = true;
    return;
  }
  const running = (entry.running = new AbortController());
  entry.begun = performance.now();
  entry.state.value = { ...entry.state.value, loading: true };
  try {
    const data = await get(path, running.signal);
    entry.state.value = { data, error: undefined, loading: false };
  } catch (error) {
    if (!running.signal.aborted)
      entry.state.value = { ...entry.state.value, error: error as RequestError, loading: false };
  }
  entry.running = undefined;
  const { again } = entry;
  entry.again = false;
  if (running.signal.aborted && entry.users > 0) void load(path, entry);
  else if (again) soon(path, entry);
}
