// Asks all instances what happened to a message.

import type { Duration } from '../options/duration.js';
import { LONGEST_ID, MOST_IDS } from '../plugins/journey-answer.js';
import type { Fleet, FleetInstance } from './fleet.js';
import {
  type InstanceJourney,
  mergedJourneys,
  readJourneys,
  type ReadJourneys,
  type TracedMessage,
} from './journeys.js';

/** Whom to ask, and for what. */
export interface TraceOptions {
  /** Only instances of this service. Default: all. */
  readonly service?: string | undefined;
  /** How long instances may take to say that they are there, and then for each question. Default 2s. */
  readonly timeout?: Duration | undefined;
  /** Whether to ask for bodies, which journals with the option `bodies` have. Default false. */
  readonly bodies?: boolean | undefined;
  /** Aborting it ends the questions with `RpcCancelledError`. */
  readonly signal?: AbortSignal | undefined;
}

/** One instance that was asked. */
export interface TracedInstance {
  readonly from: FleetInstance;
  /** What its journal knows: `unknown` without one, `unreadable` when its answer was none. */
  readonly journal: 'answered' | 'unknown' | 'unreadable' | 'missing';
  /** Dead-letter queues of its handlers. */
  readonly deadQueues: readonly string[];
}

/** What is known of a message. */
export interface MessageTrace {
  /** The messages that were found, each behind the one that caused it. */
  readonly messages: readonly TracedMessage[];
  readonly instances: readonly TracedInstance[];
  /** Messages that are missing, since there are too many. */
  readonly leftOut: number;
  /** Whether all instances answered, as far as that can be known: see `FleetAnswers`. */
  readonly complete: boolean;
}

/** How often it is asked for what was found before. */
const ROUNDS = 5;

/**
 * What happened to the message with this message id, to the chain of messages with this correlation id, and to what these
 * caused, as the journals of all instances know it that have the option `fleet` and the plugin `journal()`. Rejects as
 * `Fleet.ask` does.
 *
 * @example
 * const { messages } = await traceMessage(broker.fleet, 'Hq2W3dVx9cJ0mX4b');
 */
export async function traceMessage(
  fleet: Fleet,
  id: string,
  options: TraceOptions = {},
): Promise<MessageTrace> {
  const { service, timeout, signal } = options;
  const who = await fleet.ask('info', undefined, { service, timeout, signal });
  const tracing = new Tracing(fleet, options, who.answers.length);
  // What a message caused may be known only where it was handled: those that were found are asked for as well.
  let ids: readonly string[] = who.answers.length > 0 ? [id] : [];
  for (let round = 0; ids.length > 0 && round < ROUNDS; round++) {
    await tracing.ask(ids);
    ids = tracing.unasked();
  }
  return {
    messages: mergedJourneys(tracing.told),
    instances: who.answers.map(({ from, value }) => ({
      from,
      journal: tracing.journals.get(from.id) ?? 'missing',
      deadQueues: deadQueuesOf(value),
    })),
    leftOut: tracing.leftOut,
    complete: who.complete && tracing.complete,
  };
}

class Tracing {
  readonly journals = new Map<string, TracedInstance['journal']>();
  leftOut = 0;
  complete = true;
  private readonly asked = new Set<string>();
  /** By journal and message. */
  private readonly found = new Map<string, InstanceJourney>();

  constructor(
    private readonly fleet: Fleet,
    private readonly options: TraceOptions,
    private readonly expect: number,
  ) {}

  get told(): InstanceJourney[] {
    return [...this.found.values()];
  }

  /** Ids that were found and not asked for, as many as one question may have. */
  unasked(): string[] {
    const ids = this.told.flatMap(({ id, hidden }) => (hidden || id.length > LONGEST_ID ? [] : [id]));
    return [...new Set(ids)].filter((id) => !this.asked.has(id) && !NUMBER.test(id)).slice(0, MOST_IDS);
  }

  async ask(ids: readonly string[]): Promise<void> {
    for (const id of ids) this.asked.add(id);
    const { bodies = false, ...options } = this.options;
    const { expect } = this;
    const { answers, complete } = await this.fleet.ask('journey', { ids, bodies }, { ...options, expect });
    if (!complete) this.complete = false;
    for (const { from, value, error } of answers) {
      const read = error === undefined ? readJourneys(value) : undefined;
      if (read) this.add(read, from.id);
      else this.journals.set(from.id, error?.code === 'unknown' ? 'unknown' : 'unreadable');
    }
  }

  private add({ journal, messages, leftOut }: ReadJourneys, instance: string): void {
    this.journals.set(instance, 'answered');
    this.leftOut += leftOut;
    for (const each of messages) {
      const place = `${journal} ${each.key}`;
      // Broker objects that share a journal answer alike.
      if (!this.found.has(place)) this.found.set(place, { ...each, instance });
    }
  }
}

/** What stands for the id of a message without one. */
const NUMBER = /^\(no id \d+\)$/;

/** Of one instance. */
const MOST_QUEUES = 1_000;

/** From the answer to `info`, as another program may have written it: it names no queue that is not for dead letters. */
function deadQueuesOf(info: unknown): string[] {
  const { handlers } = (info ?? {}) as { readonly handlers?: unknown };
  if (!Array.isArray(handlers)) return [];
  const queues = (handlers as unknown[]).map((each) => (each as { deadQueue?: unknown } | null)?.deadQueue);
  const isDead = (queue: unknown): queue is string =>
    typeof queue === 'string' && queue.length <= 255 && queue.endsWith('.dead');
  return [...new Set(queues.filter(isDead))].slice(0, MOST_QUEUES);
}
