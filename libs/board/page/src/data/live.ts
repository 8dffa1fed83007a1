// The stream of changes from the server (server-sent events), opened again after each loss. After a loss, views ask for
// everything again, since they may have missed something.
import { signal } from '@preact/signals';
import type { LiveEvent, LiveEvents, Tick } from '../../../src/api.js';
import { apiUrl, refusalOf, type RequestError } from './client.js';

/** `open`, or since when it is not; `why`: what the server says when it is there and refuses it. */
export const live = signal<{
  readonly state: 'connecting' | 'open' | 'lost';
  readonly since: number;
  readonly why?: RequestError | undefined;
}>({ state: 'connecting', since: Date.now() });

/** What changes all the time, of the process that serves this page. */
export const tick = signal<Tick | undefined>(undefined);

/** What happened lately, the newest first. */
export const happened = signal<readonly LiveEvent[]>([]);

const MOST_EVENTS = 200;

/** A kind of event, or `again`: after a loss. */
type Topic = keyof LiveEvents | 'again';

type Listener = (topic: Topic, data: unknown) => void;

const listeners = new Set<Listener>();

/** Calls `listener` with each change. Returns a function that ends it. */
export function onChange(listener: Listener): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

const tell: Listener = (topic, data) => listeners.forEach((listener) => listener(topic, data));

const [SOONEST, LATEST] = [500, 10_000];

/** After so long behind other tabs it is closed: a browser has six connections to a server, for all tabs together. */
const UNSEEN = 20_000;

const names: readonly (keyof LiveEvents)[] = ['hello', 'tick', 'event', 'job', 'audit', 'skipped'];

let source: EventSource | undefined;
let failures = 0;
let missed = false;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Opens it, for as long as somebody looks at the page. */
export function startLive(): void {
  open();
  addEventListener('pagehide', close);
  addEventListener('pageshow', () => source === undefined && open());
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden') later(close, UNSEEN);
    else if (source === undefined) open();
    else clearTimeout(timer);
  });
}

function open(): void {
  close();
  const stream = (source = new EventSource(apiUrl('live')));
  stream.addEventListener('open', () => {
    failures = 0;
    live.value = { state: 'open', since: Date.now() };
    if (missed) tell('again', undefined);
    missed = false;
  });
  for (const name of names)
    stream.addEventListener(name, ({ data }: MessageEvent<string>) => heard(name, parsed(data)));
  stream.addEventListener('error', () => {
    // The browser's own way gives up after an answer with an error.
    const refused = stream.readyState === EventSource.CLOSED;
    close();
    later(open, Math.min(LATEST, SOONEST * 2 ** failures++));
    if (refused) void refusalOf(apiUrl('live')).then(lost);
    else lost();
  });
}

function lost(why?: RequestError): void {
  if (source?.readyState === EventSource.OPEN) return;
  const since = live.value.state === 'lost' ? live.value.since : Date.now();
  // An answer of a proxy, for an application that is away.
  live.value = { state: 'lost', since, why: why && why.status < 500 ? why : undefined };
}

function close(): void {
  clearTimeout(timer);
  if (source === undefined) return;
  source.close();
  source = undefined;
  missed = true;
}

function later(what: () => void, ms: number): void {
  clearTimeout(timer);
  timer = setTimeout(what, ms);
}

function heard(name: keyof LiveEvents, data: unknown): void {
  if (data === undefined) return;
  if (name === 'tick') tick.value = data as Tick;
  if (name === 'event') happened.value = [data as LiveEvent, ...happened.value].slice(0, MOST_EVENTS);
  tell(name, data);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
