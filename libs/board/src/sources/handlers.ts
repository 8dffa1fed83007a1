// The view Handlers: each handler once, with all instances that have it.

import { type Broker, type Rate, systemClock } from '@warren/nestjs';
import type { Unknown } from '../api/answers.js';
import type {
  HandlerActAnswer,
  HandlerFigures,
  HandlerInstance,
  HandlerRow,
  HandlersAnswer,
  History,
  Spread,
} from '../api/handlers.js';
import { BoardError } from '../errors.js';
import { type AllInstances, type Instance, refOf } from './instances.js';
import type { Listed, ManagedQueue } from './management.js';

/** How long an act waits until it is in force, in ms: a person waits, and running handlers may take long. */
const ACT_TIMEOUT = 3_000;

/** What changes of a handler. */
export interface HandlerChange {
  readonly paused?: boolean;
  readonly prefetch?: number;
  readonly concurrency?: number;
  readonly rate?: Rate | null;
}

/** Changes a handler of this process. @throws ConfigError when there is none, or it cannot be so */
export async function changeHandler(
  { control }: Broker,
  id: string,
  { paused, ...change }: HandlerChange,
): Promise<HandlerActAnswer> {
  const handler = control.handler(id);
  const options = { timeout: ACT_TIMEOUT };
  const { inForce } =
    paused === undefined
      ? await handler.change(change, options)
      : await (paused ? handler.pause(options) : handler.resume(options));
  return { handler: id, inForce, everywhere: null };
}

/**
 * Changes a handler in all instances of a service, if one of them says that they hear of it.
 *
 * @throws BoardError, and what `control.everywhere` throws
 */
export async function changeEverywhere(
  { control }: Broker,
  { instances }: AllInstances,
  handler: { readonly service: string; readonly id: string },
  change: HandlerChange,
): Promise<HandlerActAnswer> {
  const { service, id } = handler;
  const isHeard = instances.some(
    ({ from, told }) =>
      from.service === service && told?.everywhere && told.handlers.some((each) => each.id === id),
  );
  if (!isHeard) {
    throw new BoardError(
      'NOT_FOUND',
      `no instance of '${service}' with a board hears what is wanted of '${id}' everywhere`,
      'give its connection the option fleet: { control: true } (docs/control.md)',
    );
  }
  const { done, failed, silent } = await control.everywhere(service, id, change, { timeout: ACT_TIMEOUT });
  return {
    handler: id,
    inForce: done.length > 0 && failed.length === 0 && silent.length === 0,
    everywhere: {
      done: done.map(refOf),
      failed: failed.map(({ instance, reason }) => ({ instance: refOf(instance), reason: cut(reason) })),
      silent: silent.map(refOf),
    },
  };
}

const cut = (reason: string): string => reason.slice(0, 300);

/** Rows of an answer. */
const MOST = 1_000;

/** See HandlersAnswer. */
export function handlersView(
  { instances, unknown }: AllInstances,
  managed: Listed<ManagedQueue>,
  lack: (why: string) => Unknown,
): HandlersAnswer {
  const queues = new Map(managed.list?.map((queue) => [queue.name, queue]));
  const found = new Map<string, { instance: Instance; index: number }[]>();
  for (const instance of instances)
    instance.info?.handlers.forEach(({ id }, index) => {
      const key = `${instance.from.service}\n${id}`;
      const known = found.get(key);
      if (known) known.push({ instance, index });
      else found.set(key, [{ instance, index }]);
    });
  const all = [...found].sort(([one], [other]) => (one < other ? -1 : 1));
  const handlers = all.slice(0, MOST).map(([, list]) => handlerRow(list, queues));
  return {
    at: systemClock.wall(),
    unknown: managed.list ? unknown : [...unknown, lack(managed.why)],
    handlers,
    total: all.length,
  };
}

function handlerRow(
  list: readonly { readonly instance: Instance; readonly index: number }[],
  queues: ReadonlyMap<string, ManagedQueue>,
): HandlerRow {
  const [{ instance: first, index }] = list as [(typeof list)[number]];
  const { id, kind, queue, deadQueue } = first.info!.handlers[index];
  const told = list.flatMap(({ instance }) => instance.told?.handlers.find((each) => each.id === id) ?? []);
  const onBroker = queues.get(queue);
  const figures = told.map((each) => each.figures);
  return {
    id,
    service: first.from.service,
    kind,
    queue,
    patterns: told[0]?.patterns ?? null,
    attempts: told[0]?.attempts ?? null,
    deadQueue: deadQueue ?? null,
    schema: told[0]?.schema ?? null,
    onBroker: onBroker
      ? {
          ready: onBroker.ready,
          unacked: onBroker.unacked,
          consumers: onBroker.consumers,
          type: onBroker.type,
          state: onBroker.state,
        }
      : null,
    everywhere: list.some(({ instance }) => instance.told?.everywhere === true),
    instances: list.map(({ instance }) => instanceOf(instance, id, queue)),
    figures: figures.length > 0 ? sumOf(figures) : null,
  };
}

function instanceOf({ from, here, info, told }: Instance, id: string, queue: string): HandlerInstance {
  const own = told?.handlers.find((each) => each.id === id);
  // That of a broadcast handler has a name of its own in each instance, which begins like this.
  const consumer = info?.consumers.find((each) => each.queue === queue || each.queue.startsWith(`${queue}.`));
  return {
    ...refOf(from),
    here,
    ready: consumer?.ready ?? own?.ready ?? false,
    notReadySince: own?.notReadySince ?? null,
    lastError: own?.lastError ?? null,
    inFlight: consumer?.inFlight ?? 0,
    control: own?.control ?? null,
    figures: own?.figures ?? null,
  };
}

/** Of several instances. Percentiles cannot be added: of these it is the slowest, of the median the mean. */
export function sumOf(all: readonly HandlerFigures[]): HandlerFigures {
  const [first, ...others] = all as [HandlerFigures, ...HandlerFigures[]];
  return others.reduce(addFigures, first);
}

function addFigures(one: HandlerFigures, other: HandlerFigures): HandlerFigures {
  const [a, b] = [one.verdicts, other.verdicts];
  const [now, then] = [one.lastMinute, other.lastMinute];
  return {
    since: Math.min(one.since, other.since),
    verdicts: {
      ack: a.ack + b.ack,
      drop: a.drop + b.drop,
      retry: a.retry + b.retry,
      deadLetter: a.deadLetter + b.deadLetter,
      requeue: a.requeue + b.requeue,
      open: a.open + b.open,
    },
    attempts: addLists(one.attempts, other.attempts),
    lastMinute: {
      perSecond: now.perSecond + then.perSecond,
      failedPerSecond: now.failedPerSecond + then.failedPerSecond,
      took: addSpreads(now.took, now.perSecond, then.took, then.perSecond),
      age: addSpreads(now.age, now.perSecond, then.age, then.perSecond),
    },
    history: addHistories(one.history, other.history),
    errors: addErrors([...one.errors, ...other.errors]),
  };
}

function addLists(one: readonly number[], other: readonly number[]): number[] {
  return Array.from(
    { length: Math.max(one.length, other.length) },
    (_, index) => (one[index] ?? 0) + (other[index] ?? 0),
  );
}

function addSpreads(one: Spread | null, often: number, other: Spread | null, seldom: number): Spread | null {
  if (!one || !other) return one ?? other;
  const sum = often + seldom || 1;
  return {
    p50: (one.p50 * often + other.p50 * seldom) / sum,
    p95: Math.max(one.p95, other.p95),
    p99: Math.max(one.p99, other.p99),
    max: Math.max(one.max, other.max),
  };
}

/** Steps begin at the same times everywhere, but processes do not. */
function addHistories(one: History, other: History): History {
  if (other.handled.length === 0 || one.step !== other.step) return one;
  if (one.handled.length === 0) return other;
  const end = ({ from, step, handled }: History): number => from + step * handled.length;
  const last = Math.max(end(one), end(other));
  const from = Math.max(Math.min(one.from, other.from), last - 120 * one.step);
  const length = Math.round((last - from) / one.step);
  const at = <T>(history: History, list: readonly T[], index: number): T | undefined =>
    list[index + Math.round((from - history.from) / one.step)];
  const sum = (name: 'handled' | 'failed'): number[] =>
    Array.from(
      { length },
      (_, index) => (at(one, one[name], index) ?? 0) + (at(other, other[name], index) ?? 0),
    );
  const p95 = Array.from({ length }, (_, index) => {
    const values = [at(one, one.p95, index), at(other, other.p95, index)].filter(
      (each) => typeof each === 'number',
    );
    return values.length > 0 ? Math.max(...values) : null;
  });
  return { from, step: one.step, handled: sum('handled'), failed: sum('failed'), p95 };
}

function addErrors(all: HandlerFigures['errors']): HandlerFigures['errors'] {
  const byName = new Map<string, HandlerFigures['errors'][number]>();
  for (const each of all) {
    const known = byName.get(each.error);
    const latest = known && known.lastAt > each.lastAt ? known : each;
    const message = latest.message || known?.message || each.message;
    byName.set(each.error, { ...latest, message, count: each.count + (known?.count ?? 0) });
  }
  return [...byName.values()].sort((one, other) => other.count - one.count).slice(0, 5);
}
