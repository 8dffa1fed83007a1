// The views Services, Calls and Waiting: what instances tell of themselves.

import { systemClock } from '@warren/nestjs';
import type { Unknown } from '../api/answers.js';
import type { WaitingAnswer, WaitQueue } from '../api/messages.js';
import type { CallRow, CallsAnswer, InstanceRow, ServicesAnswer } from '../api/services.js';
import { type AllInstances, type Instance, refOf } from './instances.js';
import type { Listed, ManagedQueue } from './management.js';

/** Rows of an answer. */
const MOST = 500;

/** See ServicesAnswer. */
export function servicesView({ instances, complete, unknown }: AllInstances): ServicesAnswer {
  const byService = new Map<string, Instance[]>();
  for (const instance of instances) {
    const { service } = instance.from;
    byService.set(service, [...(byService.get(service) ?? []), instance]);
  }
  const services = [...byService].sort(([one], [other]) => (one < other ? -1 : 1));
  return {
    at: systemClock.wall(),
    unknown: unknown.filter(({ why }) => why !== 'board'),
    complete,
    services: services.map(([service, list]) => ({
      service,
      instances: list.map(instanceRow).sort((one, other) => one.startedAt - other.startedAt),
    })),
  };
}

function instanceRow({ from, here, state, error, info }: Instance): InstanceRow {
  return {
    ...refOf(from),
    version: from.version,
    applicationVersion: from.applicationVersion ?? null,
    startedAt: Date.parse(from.startedAt) || 0,
    here,
    state,
    error,
    info: info
      ? {
          connections: info.connections.map(({ name, state: is, blocked }) => ({ name, state: is, blocked })),
          consumers: info.consumers.map(({ queue, ready, inFlight }) => ({ queue, ready, inFlight })),
          handlers: info.handlers.map(({ id }) => id),
          publishing: info.publishing,
          waiting: info.waiting,
          pendingCalls: info.pendingCalls,
          plugins: info.plugins,
        }
      : null,
  };
}

/** See CallsAnswer. */
export function callsView({ instances, unknown }: AllInstances): CallsAnswer {
  const servers = serversOf(instances);
  const calls = instances.flatMap(({ from, told }): CallRow[] =>
    (told?.calls ?? []).map((call) => ({ ...call, from: refOf(from), to: servers.get(call.pattern) ?? [] })),
  );
  const total = instances.reduce((sum, { told }) => sum + (told?.callsTotal ?? 0), 0);
  calls.sort((one, other) => one.since - other.since);
  return { at: systemClock.wall(), unknown, calls: calls.slice(0, MOST), total };
}

/** Services by the patterns and queues of calls that they serve. */
function serversOf(instances: readonly Instance[]): Map<string, string[]> {
  const servers = new Map<string, string[]>();
  const serve = (name: string, service: string): void => {
    const known = servers.get(name) ?? [];
    if (!known.includes(service)) servers.set(name, [...known, service]);
  };
  for (const { from, info, told } of instances) {
    for (const { id, kind, queue } of info?.handlers ?? []) {
      if (kind !== 'rpc') continue;
      serve(queue, from.service);
      for (const pattern of told?.handlers.find((each) => each.id === id)?.patterns ?? [])
        serve(pattern, from.service);
    }
  }
  return servers;
}

/** See WaitingAnswer. `own` are the wait queues that this process moves messages from. */
export function waitingView(
  { instances, unknown }: AllInstances,
  managed: Listed<ManagedQueue>,
  own: readonly string[],
  lack: (why: string) => Unknown,
): WaitingAnswer {
  const messages = instances.flatMap(({ from, here, told }) =>
    (told?.waiting ?? []).map((message) => ({
      ...message,
      key: here ? message.key : null,
      instance: refOf(from),
    })),
  );
  messages.sort((one, other) => one.due - other.due);
  const lengths = new Map(managed.list?.map(({ name, messages: length }) => [name, length]));
  const names = new Set([...own, ...messages.map(({ queue }) => queue), ...lengths.keys()]);
  const queues = [...names].flatMap((queue): WaitQueue[] => {
    const found = waitQueueOf(queue);
    return found ? [{ queue, ...found, messages: lengths.get(queue) ?? null }] : [];
  });
  queues.sort((one, other) =>
    one.service < other.service ? -1 : one.service > other.service ? 1 : one.step - other.step,
  );
  return {
    at: systemClock.wall(),
    unknown: managed.list ? unknown : [...unknown, lack(managed.why)],
    messages: messages.slice(0, MOST),
    queues: queues.slice(0, MOST),
  };
}

/** By its name: `<service>.retry.<ms>`, `<service>.delay.<ms>.<exchange>`. */
export function waitQueueOf(queue: string): Pick<WaitQueue, 'service' | 'kind' | 'step'> | undefined {
  const [, service, kind, step] = /^(.+?)\.(retry|delay)\.(\d+)(?:\.|$)/.exec(queue) ?? [];
  if (service === undefined || kind === undefined) return undefined;
  return { service, kind: kind === 'retry' ? 'retry' : 'delay', step: Number(step) };
}
