// What happened to a message, as all instances together know it: their journals are asked, and what they know of one message
// is put together. Answers come from others, so every field of them is checked.

import type { ToldJourney } from '../plugins/journey-answer.js';
import { shownId, trees, type JourneyStep, type MessageJourney } from '../plugins/journey.js';

/** A step, and the id of the instance that knows of it. */
export type TracedStep = JourneyStep & { readonly instance: string };

/** What happened to one message in all instances. */
export interface TracedMessage extends MessageJourney {
  /** Sorted by time, by the clocks of their instances. */
  readonly steps: readonly TracedStep[];
}

/** A message as one instance tells it. */
export interface InstanceJourney extends ToldJourney {
  readonly instance: string;
}

/** An answer of a journal, read. */
export interface ReadJourneys {
  readonly journal: string;
  readonly messages: readonly ToldJourney[];
  readonly leftOut: number;
}

/** Undefined for what is no answer of a journal. What one of its messages lacks is left out. */
export function readJourneys(value: unknown): ReadJourneys | undefined {
  const { journal, messages, leftOut } = objectOf(value);
  if (typeof journal !== 'string' || !Array.isArray(messages)) return undefined;
  return {
    journal,
    messages: messages.slice(0, 10_000).flatMap((each) => readMessage(each) ?? []),
    leftOut: typeof leftOut === 'number' && leftOut > 0 ? leftOut : 0,
  };
}

type Fields = Readonly<Record<string, 'string' | 'number' | 'boolean'>>;

const MESSAGE: Fields = { id: 'string', key: 'string', exchange: 'string', routingKey: 'string' };
const MORE_OF_MESSAGE: Fields = {
  correlationId: 'string',
  causedBy: 'string',
  causeKey: 'string',
  by: 'string',
  body: 'string',
  leftOut: 'number',
  hidden: 'boolean',
};
const SENT: Fields = { kind: 'string', at: 'string', exchange: 'string', bytes: 'number' };
const MORE_OF_SENT: Fields = {
  routingKey: 'string',
  items: 'number',
  reason: 'string',
  took: 'number',
  routed: 'boolean',
  resent: 'number',
};
const ATTEMPT: Fields = {
  at: 'string',
  handler: 'string',
  service: 'string',
  queue: 'string',
  attempt: 'number',
};
const MORE_OF_ATTEMPT: Fields = { took: 'number', verdict: 'string', wait: 'number', reason: 'string' };
const ERROR: Fields = { name: 'string', message: 'string' };

function readMessage(value: unknown): ToldJourney | undefined {
  const { steps } = objectOf(value);
  const facts = fieldsOf(value, MESSAGE, MORE_OF_MESSAGE);
  if (!facts || !Array.isArray(steps)) return undefined;
  return {
    ...facts,
    steps: steps.slice(0, 1_000).flatMap((step) => readStep(step) ?? []),
  } as unknown as ToldJourney;
}

function readStep(value: unknown): JourneyStep | undefined {
  const { what, error } = objectOf(value);
  if (what !== 'sent' && what !== 'attempt') return undefined;
  const read =
    what === 'sent' ? fieldsOf(value, SENT, MORE_OF_SENT) : fieldsOf(value, ATTEMPT, MORE_OF_ATTEMPT);
  if (!read || Number.isNaN(Date.parse(String(read.at)))) return undefined;
  const failure = error === undefined ? undefined : fieldsOf(error, ERROR, {});
  return { what, ...read, ...(failure && { error: failure }) } as unknown as JourneyStep;
}

/** Only these fields; undefined when one of `needed` is missing. Further ones of another type are left out. */
function fieldsOf(value: unknown, needed: Fields, more: Fields): Record<string, unknown> | undefined {
  const given = objectOf(value);
  const read: Record<string, unknown> = {};
  for (const [name, type] of Object.entries({ ...more, ...needed })) {
    if (typeof given[name] === type) read[name] = given[name];
    else if (name in needed) return undefined;
  }
  return read;
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** What several instances tell as one list of trees. */
export function mergedJourneys(told: readonly InstanceJourney[]): TracedMessage[] {
  const byKey = new Map<string, InstanceJourney[]>();
  for (const each of told) {
    const others = byKey.get(each.key);
    if (others) others.push(each);
    else byKey.set(each.key, [each]);
  }
  const all = [...byKey.values()].map(merged).sort((one, other) => startOf(one) - startOf(other));
  const byId = new Map(all.map((each) => [each.key, each]));
  return trees(all, all, ({ causeKey }) => byId.get(causeKey ?? '')).map(({ found, cause, depth }) => {
    const { key: _, causeKey: __, hidden, id, causedBy, steps, ...facts } = found;
    const by = cause ? shownId({ id: cause.id, hidden: cause.hidden === true }) : causedBy;
    return {
      id: shownId({ id, hidden: hidden === true }),
      ...facts,
      ...(by !== undefined && { causedBy: by }),
      depth,
      steps,
    };
  });
}

interface Merged extends ToldJourney {
  readonly steps: readonly TracedStep[];
}

/** What all know of one message. */
function merged(told: readonly InstanceJourney[]): Merged {
  const steps = told.flatMap(({ steps: own, instance }) => own.map((step) => ({ ...step, instance })));
  const hidden = told.some((each) => each.hidden);
  const leftOut = told.reduce((sum, each) => sum + (each.leftOut ?? 0), 0);
  const facts = Object.assign({}, ...told.toReversed()) as InstanceJourney;
  const { instance: _, leftOut: __, correlationId, ...kept } = facts;
  // A caller that did not know that its call is idempotent tells its id.
  const isSecret = hidden && told.some(({ id }) => id === correlationId);
  return {
    ...kept,
    ...(correlationId !== undefined && !isSecret && { correlationId }),
    ...(hidden && { hidden }),
    ...(leftOut > 0 && { leftOut }),
    steps: steps.sort((one, other) => Date.parse(one.at) - Date.parse(other.at) || rank(one) - rank(other)),
  };
}

/** Within one millisecond: a message is sent before it is handled, and what comes of that is sent afterwards. */
function rank(step: JourneyStep): number {
  if (step.what === 'attempt') return 1;
  return ['reply', 'retry', 'dead-letter', 'replay'].includes(step.kind) ? 2 : 0;
}

function startOf({ steps }: Merged): number {
  return steps.length === 0 ? Infinity : Date.parse(steps[0].at);
}
