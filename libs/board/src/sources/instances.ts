// Asks the other instances of all services: what they are, and, where they have a board too, what their handlers do.

import {
  type Broker,
  type ConsumerStatus,
  type FleetAnswers,
  type FleetInfo,
  type FleetInstance,
  systemClock,
} from '@warren/nestjs';
import type { InstanceRef, Unknown } from '../api/answers.js';
import type { HandlerControl, HandlerFigures } from '../api/handlers.js';
import type { CallRow } from '../api/services.js';
import type { WaitingMessage } from '../api/messages.js';
import type { Figures } from './figures.js';
import { fits, listOf, type Shape } from './shapes.js';

/** The kind of question that boards ask each other. */
const KIND = 'board';

/** How long instances may take to say that they are there, in ms. */
const TIMEOUT = 700;

/** An answer is good for so long, in ms: several views of a page ask at once. */
const FRESH = 1_500;

/** An answer of the fleet has at most 256 KiB. */
const MOST_BYTES = 200_000;

/** What a board tells of its process. */
export interface Told {
  readonly handlers: readonly ToldHandler[];
  readonly calls: readonly Omit<CallRow, 'from' | 'to'>[];
  readonly callsTotal: number;
  readonly waiting: readonly Omit<WaitingMessage, 'instance'>[];
  /** Whether its handlers can be changed in all instances of its service. */
  readonly everywhere: boolean;
}

/** A handler, as its process tells it. */
export interface ToldHandler {
  readonly id: string;
  readonly patterns: readonly string[];
  readonly attempts: number;
  readonly schema: boolean;
  readonly ready: boolean;
  readonly notReadySince: number | null;
  readonly lastError: string | null;
  readonly control: HandlerControl | null;
  readonly figures: HandlerFigures;
}

/** What is known of an instance. */
export interface Instance {
  readonly from: FleetInstance;
  readonly here: boolean;
  readonly state: 'running' | 'closing' | 'missing' | 'failed';
  readonly error: string | null;
  readonly info: FleetInfo | undefined;
  /** Undefined without a board. */
  readonly told: Told | undefined;
}

/** All instances that are known now. */
export interface AllInstances {
  readonly instances: readonly Instance[];
  readonly complete: boolean;
  readonly unknown: readonly Unknown[];
}

/** See above. */
export class Instances {
  private latest: { readonly at: number; readonly asked: Promise<AllInstances> } | undefined;
  private readonly forget: () => void;

  constructor(
    private readonly broker: Broker,
    private readonly figures: Figures,
  ) {
    this.forget = broker.fleet.answer(KIND, () => this.small());
  }

  close(): void {
    this.forget();
  }

  /** All that answer, and this process. */
  all(): Promise<AllInstances> {
    const now = systemClock.monotonic();
    if (!this.latest || now - this.latest.at > FRESH) this.latest = { at: now, asked: this.ask() };
    return this.latest.asked;
  }

  /** What this process tells. */
  here(): Told {
    const details = this.broker.details();
    const consumers = this.broker.status().consumers;
    return {
      handlers: details.handlers.map(({ id, queue, patterns, attempts, schema }) => {
        const consumer = consumers.find((each) => each.queue === queue || each.handlers.includes(id));
        return {
          id,
          patterns: patterns.slice(0, 20),
          attempts,
          schema: schema !== undefined,
          ready: consumer?.ready ?? false,
          notReadySince: consumer?.notReadySince ?? null,
          lastError: consumer?.lastError?.slice(0, 500) ?? null,
          control: consumer ? controlOf(consumer) : null,
          figures: this.figures.of(id),
        };
      }),
      calls: details.calls.slice(0, 500).map(({ messageId, sent, routingKey, deadline, ...call }) => ({
        ...call,
        id: messageId ?? null,
        state: sent ? ('sent' as const) : ('unsent' as const),
        pattern: routingKey,
        deadline: deadline ?? null,
      })),
      callsTotal: details.calls.length,
      waiting: details.waiting.slice(0, 500).map(({ messageId, waitQueue, attempt, ...message }) => ({
        ...message,
        id: messageId ?? null,
        queue: waitQueue,
        attempt: attempt ?? null,
      })),
      everywhere: this.broker.settings.fleet?.control === true,
    };
  }

  /** The same, small enough for an answer: without texts of errors, which not everybody who may ask may read. */
  private small(): Told {
    const { handlers, ...rest } = this.here();
    const quiet = handlers.map(({ figures, lastError, ...handler }) => ({
      ...handler,
      lastError: lastError === null ? null : 'see the log of that process',
      figures: { ...figures, errors: figures.errors.map((error) => ({ ...error, message: '' })) },
    }));
    const told = { handlers: quiet, ...rest };
    if (bytesOf(told) < MOST_BYTES) return told;
    const short = quiet.map((handler) => ({
      ...handler,
      figures: { ...handler.figures, history: { from: 0, step: 5_000, handled: [], failed: [], p95: [] } },
    }));
    const less = {
      ...rest,
      calls: rest.calls.slice(0, 50),
      waiting: rest.waiting.slice(0, 50),
      handlers: short,
    };
    return bytesOf(less) < MOST_BYTES
      ? less
      : { ...less, calls: [], waiting: [], handlers: short.slice(0, 100) };
  }

  private async ask(): Promise<AllInstances> {
    const { fleet } = this.broker;
    const own = this.own();
    try {
      const info = await fleet.ask<FleetInfo>('info', undefined, { timeout: TIMEOUT });
      const expect = Math.max(1, info.answers.length);
      const told = info.answers.some(({ from }) => from.id !== own.from.id)
        ? await fleet.ask<Told>(KIND, undefined, { timeout: TIMEOUT, expect })
        : undefined;
      return joined(own, info, told);
    } catch (error) {
      const help = `the fleet cannot be asked: ${(error as Error).message}`;
      return {
        instances: [own],
        complete: false,
        unknown: [{ what: 'other instances', why: 'broker', help }],
      };
    }
  }

  private own(): Instance {
    const { broker } = this;
    const { closing, ...status } = broker.status();
    const info: FleetInfo = {
      handlers: broker.details().handlers.map(({ id, kind, queue, deadQueue }) => ({
        id,
        kind,
        queue,
        ...(deadQueue !== undefined && { deadQueue }),
      })),
      connections: status.connections,
      consumers: status.consumers,
      publishing: status.publishing,
      waiting: status.waiting.messages,
      pendingCalls: status.pendingCalls,
      closing,
      plugins: Object.keys(status.plugins),
    };
    const state = closing ? 'closing' : 'running';
    return { from: broker.fleet.instance, here: true, state, error: null, info, told: this.here() };
  }
}

function joined(
  own: Instance,
  { answers, missing, complete }: FleetAnswers<FleetInfo>,
  told: FleetAnswers<Told> | undefined,
): AllInstances {
  const others = answers.filter(({ from }) => from.id !== own.from.id);
  const tellers = new Map(told?.answers.map(({ from, value }) => [from.id, readTold(value)]));
  const instances: Instance[] = others.slice(0, 500).map(({ from, value, error }) => {
    const info = value !== undefined && fits(value, INFO) ? value : undefined;
    const why = info ? null : (error?.message.slice(0, 300) ?? 'its answer cannot be read');
    const state = !info ? 'failed' : info.closing ? 'closing' : 'running';
    return { from, here: false, state, error: why, info, told: tellers.get(from.id) };
  });
  const gone = missing
    .filter(({ id }) => id !== own.from.id)
    .map((from) => ({
      from,
      here: false,
      state: 'missing' as const,
      error: null,
      info: undefined,
      told: undefined,
    }));
  const all = [own, ...instances, ...gone];
  return { instances: all, complete, unknown: unknownOf(instances) };
}

function unknownOf(others: readonly Instance[]): Unknown[] {
  const help = 'give the other applications the option fleet: true (docs/fleet.md)';
  if (others.length === 0) return [{ what: 'instances without the option fleet', why: 'fleet', help }];
  const without = others.filter(({ told }) => told === undefined).length;
  if (without === 0) return [];
  const what = `figures, calls and waiting messages of ${without} instances`;
  return [{ what, why: 'board', help: 'import BoardModule there too' }];
}

function readTold(value: unknown): Told | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { handlers, calls, callsTotal, waiting, everywhere } = value as Record<string, unknown>;
  return {
    handlers: listOf<ToldHandler>(handlers, HANDLER, 1_000),
    calls: listOf<Told['calls'][number]>(calls, CALL, 500),
    callsTotal: typeof callsTotal === 'number' ? callsTotal : 0,
    waiting: listOf<Told['waiting'][number]>(waiting, WAITING, 500),
    everywhere: everywhere === true,
  };
}

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

function controlOf({ paused, breaker, prefetch, concurrency, rate }: ConsumerStatus): HandlerControl {
  return {
    paused: paused !== undefined,
    pausedEverywhere: paused?.by === 'everywhere',
    breaker: breaker ?? null,
    prefetch,
    concurrency,
    rate: rate ?? null,
  };
}

/** Where an instance is. */
export function refOf({ id, service, connection, host, pid }: FleetInstance): InstanceRef {
  return { id, service, connection, host, pid };
}

const INFO: Shape = {
  handlers: [{ id: 'string', kind: 'string', queue: 'string' }],
  connections: [{ name: 'string', state: 'string', blocked: 'boolean' }],
  consumers: [{ queue: 'string', ready: 'boolean', inFlight: 'number' }],
  publishing: { unconfirmed: 'number', waiting: 'number' },
  waiting: 'number',
  pendingCalls: 'number',
  closing: 'boolean',
  plugins: ['string'],
};

const FIGURES: Shape = {
  since: 'number',
  verdicts: {
    ack: 'number',
    drop: 'number',
    retry: 'number',
    deadLetter: 'number',
    requeue: 'number',
    open: 'number',
  },
  attempts: ['number'],
  lastMinute: { perSecond: 'number', failedPerSecond: 'number', took: 'unknown', age: 'unknown' },
  history: { from: 'number', step: 'number', handled: ['number'], failed: ['number'], p95: ['number?'] },
  errors: [{ error: 'string', count: 'number', lastAt: 'number', message: 'string' }],
};

const HANDLER: Shape = {
  id: 'string',
  patterns: ['string'],
  attempts: 'number',
  schema: 'boolean',
  ready: 'boolean',
  notReadySince: 'number?',
  lastError: 'string?',
  control: 'unknown',
  figures: FIGURES,
};

const CALL: Shape = {
  id: 'string?',
  kind: 'string',
  state: 'string',
  exchange: 'string',
  pattern: 'string',
  since: 'number',
  deadline: 'number?',
};

const WAITING: Shape = {
  id: 'string?',
  kind: 'string',
  queue: 'string',
  exchange: 'string',
  routingKey: 'string',
  due: 'number',
  attempt: 'number?',
  bytes: 'number',
};
