// Measures what the handlers of this process do, from the events of the broker object. Per attempt it adds to numbers that are
// there; what the page shows is computed when somebody asks.

import { type BrokerEventOf, HEADER, systemClock } from '@warren/nestjs';
import type { HandlerError, HandlerFigures, History, Spread, Verdicts } from '../api/handlers.js';

type Handled = BrokerEventOf<'handled'>;

/** Length of a step, in ms, and how many are kept. */
const STEP = 5_000;
const STEPS = 120;

/** Steps of the last minute, whose distributions are kept. */
const RECENT = 12;

/** Classes of durations: each is a fifth longer than the one before, from 0.1 ms to some hours. */
const CLASSES = 104;
const FACTOR = Math.log(1.2);
const LEAST = 0.1;

/** Kinds of errors that are told apart. */
const MOST_ERRORS = 50;

function classOf(ms: number): number {
  if (ms <= LEAST) return 0;
  return Math.min(CLASSES - 1, Math.ceil(Math.log(ms / LEAST) / FACTOR));
}

/** The middle of a class. */
function valueOf(index: number): number {
  return Math.round(LEAST * Math.exp((index - 0.5) * FACTOR) * 100) / 100;
}

class Distribution {
  readonly counts = new Uint32Array(CLASSES);
  total = 0;
  max = 0;

  add(ms: number): void {
    this.counts[classOf(ms)]++;
    this.total++;
    if (ms > this.max) this.max = ms;
  }

  static sum(all: readonly Distribution[]): Distribution {
    const sum = new Distribution();
    for (const { counts, total, max } of all) {
      counts.forEach((count, index) => (sum.counts[index] += count));
      sum.total += total;
      sum.max = Math.max(sum.max, max);
    }
    return sum;
  }

  at(share: number): number {
    let left = Math.ceil(this.total * share);
    const index = this.counts.findIndex((count) => (left -= count) <= 0);
    return Math.min(valueOf(Math.max(0, index)), this.max);
  }

  spread(): Spread | null {
    if (this.total === 0) return null;
    const max = Math.round(this.max * 100) / 100;
    return { p50: this.at(0.5), p95: this.at(0.95), p99: this.at(0.99), max };
  }
}

interface Step {
  /** Number of the step since 1970. */
  number: number;
  handled: number;
  failed: number;
  /** The first ones of a step are kept with all, later only this. */
  p95: number | null;
  took: Distribution | undefined;
  age: Distribution | undefined;
}

const VERDICT = {
  ack: 'ack',
  drop: 'drop',
  retry: 'retry',
  'dead-letter': 'deadLetter',
  requeue: 'requeue',
  open: 'open',
} as const;

/** What one handler does. */
export class HandlerMeter {
  private readonly verdicts: { -readonly [Name in keyof Verdicts]: number } = {
    ack: 0,
    drop: 0,
    retry: 0,
    deadLetter: 0,
    requeue: 0,
    open: 0,
  };
  private readonly attempts: number[] = [];
  private readonly steps: Step[] = [];
  private readonly errors = new Map<string, { count: number; lastAt: number; message: string }>();

  constructor(
    private readonly since: number,
    private readonly clock = systemClock,
  ) {}

  add({ delivery, verdict, ms }: Pick<Handled, 'delivery' | 'verdict' | 'ms'>): void {
    const decided = delivery.decided ?? verdict;
    this.verdicts[VERDICT[decided.kind]]++;
    const place = Math.min(delivery.attempt, 10) - 1;
    while (this.attempts.length <= place) this.attempts.push(0);
    this.attempts[place]++;
    const step = this.step();
    step.handled++;
    (step.took ??= new Distribution()).add(ms);
    const age = delivery.attempt === 1 ? ageOf(delivery, this.clock.wall() - ms) : undefined;
    if (age !== undefined) (step.age ??= new Distribution()).add(age);
    if (!('error' in decided)) return;
    step.failed++;
    this.failed(decided.error);
  }

  figures(): HandlerFigures {
    const now = this.clock.wall();
    const current = Math.floor(now / STEP);
    const recent = this.steps.filter(({ number }) => number > current - RECENT);
    const seconds = Math.max(1, Math.min(now - this.since, STEP * RECENT) / 1_000);
    const sum = (field: 'handled' | 'failed'): number =>
      recent.reduce((total, step) => total + step[field], 0);
    const all = (field: 'took' | 'age'): Spread | null =>
      Distribution.sum(recent.flatMap((step) => step[field] ?? [])).spread();
    return {
      since: this.since,
      verdicts: { ...this.verdicts },
      attempts: [...this.attempts],
      lastMinute: {
        perSecond: round(sum('handled') / seconds),
        failedPerSecond: round(sum('failed') / seconds),
        took: all('took'),
        age: all('age'),
      },
      history: this.history(current),
      errors: this.topErrors(),
    };
  }

  private history(current: number): History {
    const first = Math.max(current - STEPS + 1, Math.floor(this.since / STEP));
    const byNumber = new Map(this.steps.map((step) => [step.number, step]));
    const found = Array.from({ length: current - first + 1 }, (_, index) => byNumber.get(first + index));
    return {
      from: first * STEP,
      step: STEP,
      handled: found.map((step) => step?.handled ?? 0),
      failed: found.map((step) => step?.failed ?? 0),
      p95: found.map((step) => (step?.took ? step.took.at(0.95) : (step?.p95 ?? null))),
    };
  }

  private step(): Step {
    const number = Math.floor(this.clock.wall() / STEP);
    const last = this.steps.at(-1);
    if (last?.number === number) return last;
    const step: Step = { number, handled: 0, failed: 0, p95: null, took: undefined, age: undefined };
    this.steps.push(step);
    if (this.steps.length > STEPS) this.steps.shift();
    const old = this.steps.at(-RECENT - 1);
    if (old?.took) {
      old.p95 = old.took.at(0.95);
      old.took = undefined;
      old.age = undefined;
    }
    return step;
  }

  private failed(error: unknown): void {
    const given = error instanceof Error ? error.constructor.name || error.name : typeof error;
    const name = this.errors.has(given) || this.errors.size < MOST_ERRORS ? given : 'others';
    const known = this.errors.get(name);
    const message = error instanceof Error ? error.message.slice(0, 300) : '';
    this.errors.set(name, { count: (known?.count ?? 0) + 1, lastAt: this.clock.wall(), message });
  }

  private topErrors(): HandlerError[] {
    const all = [...this.errors].map(([error, facts]) => ({ error, ...facts }));
    return all.sort((one, other) => other.count - one.count).slice(0, 5);
  }
}

const round = (value: number): number => Math.round(value * 100) / 100;

/** Milliseconds since it was published; undefined when that cannot be told, or it waited since somebody wanted it to. */
function ageOf({ message, headers, exchange }: Handled['delivery'], began: number): number | undefined {
  const { timestamp } = message.properties;
  if (typeof timestamp !== 'number' || exchange !== message.exchange) return undefined;
  if (headers[HEADER.move] !== undefined || headers[HEADER.replayed] !== undefined) return undefined;
  // AMQP counts seconds; some programs write milliseconds.
  return Math.max(0, began - (timestamp > 1e11 ? timestamp : timestamp * 1_000));
}

/** All handlers of this process. */
export class Figures {
  private readonly meters = new Map<string, HandlerMeter>();

  constructor(private readonly since = systemClock.wall()) {}

  readonly add = (event: Handled): void => {
    let meter = this.meters.get(event.handler);
    if (!meter) this.meters.set(event.handler, (meter = new HandlerMeter(this.since)));
    meter.add(event);
  };

  /** Of a handler that has handled nothing, zeros. */
  of(handler: string): HandlerFigures {
    return (this.meters.get(handler) ?? new HandlerMeter(this.since)).figures();
  }
}
