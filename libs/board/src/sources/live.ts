// What is live: a tick every two seconds, and what happens, to all pages that read along.

import {
  type Broker,
  type BrokerEvent,
  type BrokerEventKind,
  type BrokerEventOf,
  systemClock,
} from '@warren/nestjs';
import type { ServerResponse } from 'node:http';
import type { LiveEvent, Tick } from '../api/live.js';
import { Readers } from './event-stream.js';
import type { Figures } from './figures.js';

/** Pages that read along. */
const MOST_READERS = 50;

/** Between two ticks, in ms. */
const EVERY = 2_000;

/** Events a second. */
const MOST_EVENTS = 20;

/** Queues whose dead letters are counted. */
const MOST_QUEUES = 500;

/** See above. */
export class Live {
  private readonly readers = new Readers(MOST_READERS, systemClock);
  private readonly deadLettered = new Map<string, number>();
  private second = 0;
  private told = 0;
  private skipped = 0;
  private cancel: (() => void) | undefined;

  constructor(
    private readonly broker: Broker,
    private readonly figures: Figures,
  ) {}

  /** One more reader. @throws BoardError when there are too many */
  open(begin: () => ServerResponse): void {
    this.readers.add(begin, (stream) => {
      stream.send('hello', { at: systemClock.wall(), retry: EVERY });
      stream.send('tick', this.tick());
      this.arm();
    });
  }

  /** Something that every page should know. */
  send(name: 'job' | 'audit', data: unknown): void {
    this.readers.send(name, data);
  }

  /** An event of the broker object. */
  readonly heard = (event: BrokerEvent): void => {
    const decided = event.kind === 'handled' ? (event.delivery.decided ?? event.verdict) : undefined;
    if (event.kind === 'handled' && decided?.kind === 'dead-letter') {
      const { queue } = event;
      if (this.deadLettered.has(queue) || this.deadLettered.size < MOST_QUEUES)
        this.deadLettered.set(queue, (this.deadLettered.get(queue) ?? 0) + 1);
    }
    if (this.readers.size === 0) return;
    const said = sayingOf(event, decided?.kind === 'dead-letter' ? decided.error : undefined);
    if (!said) return;
    const now = Math.floor(systemClock.monotonic() / 1_000);
    if (now !== this.second) [this.second, this.told] = [now, 0];
    if (++this.told > MOST_EVENTS) {
      this.skipped++;
      return;
    }
    this.readers.send('event', said);
  };

  close(): void {
    this.cancel?.();
    this.readers.close();
  }

  private arm(): void {
    this.cancel ??= systemClock.after(EVERY, () => {
      this.cancel = undefined;
      if (this.readers.size === 0) return;
      if (this.skipped > 0) this.readers.send('skipped', { count: this.skipped });
      this.skipped = 0;
      this.readers.send('tick', this.tick());
      this.arm();
    });
  }

  private tick(): Tick {
    const { connections, consumers, publishing, waiting, pendingCalls, closing } = this.broker.status();
    return {
      at: systemClock.wall(),
      handlers: this.broker.details().handlers.map(({ id, queue }) => {
        const consumer = consumers.find((each) => each.queue === queue || each.handlers.includes(id));
        const { verdicts, lastMinute } = this.figures.of(id);
        return {
          id,
          perSecond: lastMinute.perSecond,
          failedPerSecond: lastMinute.failedPerSecond,
          inFlight: consumer?.inFlight ?? 0,
          ready: consumer?.ready ?? false,
          verdicts,
        };
      }),
      connections: connections.map(({ name, state, blocked }) => ({ name, state, blocked })),
      publishing: { unconfirmed: publishing.unconfirmed, waiting: publishing.waiting },
      waiting: { messages: waiting.messages, nextDue: waiting.nextDue ?? null },
      pendingCalls,
      deadLettered: Object.fromEntries(this.deadLettered),
      closing,
    };
  }
}

type About = Partial<Pick<LiveEvent, 'queue' | 'handler' | 'messageId'>>;

/** How bad it is, the view that shows more, a sentence, and what it is about. */
type Saying = readonly [level: LiveEvent['level'], view: LiveEvent['view'], text: string, about?: About];

/** Not each publish and each success: that would be too much. */
const SAYINGS: { readonly [K in BrokerEventKind]?: (event: BrokerEventOf<K>) => Saying } = {
  connected: ({ connection }) => ['info', 'services', `${connection} is connected`],
  disconnected: ({ connection, reason }) => ['error', 'services', `${connection} was lost: ${reason}`],
  'connect-failed': ({ connection, error }) => ['error', 'services', `${connection}: ${error.message}`],
  blocked: ({ reason }) => ['warning', 'services', `the broker takes no messages: ${reason}`],
  unblocked: () => ['info', 'services', 'the broker takes messages again'],
  'consumer-ready': ({ queue }) => ['info', 'handlers', `${queue} is consumed`, { queue }],
  'consumer-lost': ({ queue, reason }) => ['warning', 'handlers', `${queue}: ${reason}`, { queue }],
  'consumer-restarted': ({ queue, reason }) => ['warning', 'handlers', `${queue}: ${reason}`, { queue }],
  'consumer-not-ready': ({ queue, reason }) => ['warning', 'handlers', `${queue}: ${reason}`, { queue }],
  'consumer-failed': ({ queue, error }) => [
    'error',
    'handlers',
    `${queue} cannot be consumed: ${textOf(error)}`,
    { queue },
  ],
  'consumer-paused': ({ queue, by }) => ['warning', 'handlers', `${queue} is paused (${by})`, { queue }],
  'consumer-resumed': ({ queue }) => ['info', 'handlers', `${queue} is consumed again`, { queue }],
  'breaker-open': ({ queue }) => ['error', 'handlers', `the breaker of ${queue} is open`, { queue }],
  'breaker-closed': ({ queue }) => ['info', 'handlers', `the breaker of ${queue} is closed again`, { queue }],
  'handler-late': ({ queue, handler }) => [
    'warning',
    'handlers',
    `${handler} ignored its timeout`,
    { queue, handler },
  ],
  'retries-late': ({ over, messages }) => [
    'warning',
    'waiting',
    over ? 'retries are on time again' : `${messages} retries are late`,
  ],
  'publish-buffer-full': ({ waiting }) => [
    'error',
    'services',
    `the publish buffer is full: ${waiting} messages`,
  ],
  'topology-restored': ({ missing }) => [
    'warning',
    'topology',
    `declared again: ${missing.map(({ name }) => name).join(', ')}`,
  ],
};

function sayingOf(event: BrokerEvent, deadError: unknown): LiveEvent | undefined {
  if (deadError !== undefined && event.kind === 'handled') {
    const { handler, queue, delivery } = event;
    const messageId = delivery.message.properties.messageId?.slice(0, 300) ?? null;
    const about = { handler, queue, messageId };
    return liveEvent('dead-lettered', ['error', 'dead-letters', `${handler}: ${textOf(deadError)}`, about]);
  }
  const say = SAYINGS[event.kind] as ((event: BrokerEvent) => Saying) | undefined;
  return say && liveEvent(event.kind, say(event));
}

function liveEvent(kind: string, [level, view, text, about]: Saying): LiveEvent {
  const nothing = { queue: null, handler: null, messageId: null };
  return { at: systemClock.wall(), kind, level, view, text: text.slice(0, 500), ...nothing, ...about };
}

function textOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : typeof error;
}
