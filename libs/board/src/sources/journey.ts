// The view Journey: what happened to a message, as the journals of all instances know it.

import {
  type Broker,
  type Journal,
  type MessageJourney,
  systemClock,
  traceMessage,
  type TracedMessage,
  type TracedStep,
} from '@warren/nestjs';
import type { Unknown } from '../api/answers.js';
import type { JourneyAnswer, JourneyMessage, JourneyStepRow } from '../api/messages.js';
import { brief } from './body.js';
import { refOf } from './instances.js';
import { letterRow } from './letters.js';
import type { Readings } from './readings.js';

/** Messages of an answer. */
const MOST = 500;

/** How long instances may take, in ms. */
const TIMEOUT = 700;

/** See JourneyAnswer. */
export async function journeyView(
  broker: Broker,
  journal: Journal | undefined,
  readings: Readings,
  deadQueues: readonly string[],
  id: string,
): Promise<JourneyAnswer> {
  const trace = await traceMessage(broker.fleet, id, { timeout: TIMEOUT });
  const asked = trace.instances.length > 0;
  const own = asked || !journal ? [] : journal.of(id).map((each) => traced(each, broker.fleet.instance.id));
  const messages = asked ? trace.messages : own;
  const without = trace.instances.filter(({ journal: answer }) => answer !== 'answered').length;
  const unknown: Unknown[] = [];
  if (without > 0)
    unknown.push({
      what: `what ${without} instances know`,
      why: 'journal',
      help: 'add journal() to their plugins',
    });
  if (!asked)
    unknown.push({
      what: journal ? 'what other instances know' : 'what happened to messages',
      why: 'fleet',
      help: 'give the applications the option fleet: true and the plugin journal() (docs/journey.md)',
    });
  return {
    at: systemClock.wall(),
    unknown,
    id,
    messages: messages.slice(0, MOST).map(journeyMessage),
    leftOut: trace.leftOut + Math.max(0, messages.length - MOST),
    instances: trace.instances.map(({ from, journal: answer }) => ({ ...refOf(from), journal: answer })),
    letters: lettersOf(readings, deadQueues, id),
  };
}

function lettersOf(readings: Readings, queues: readonly string[], id: string): JourneyAnswer['letters'] {
  const found = queues.flatMap((deadQueue) =>
    (readings.latest(deadQueue)?.letters ?? [])
      .filter(({ letter }) => letter.id === id || letter.properties.correlationId === id)
      .map((kept) => ({ ...letterRow(kept), deadQueue })),
  );
  return found.slice(0, 100);
}

function traced(message: MessageJourney, instance: string): TracedMessage {
  return { ...message, steps: message.steps.map((step) => ({ ...step, instance })) };
}

function journeyMessage(message: TracedMessage): JourneyMessage {
  const { id, correlationId, causedBy, depth, by, exchange, routingKey, steps, leftOut } = message;
  return {
    id,
    correlationId: correlationId ?? null,
    causedBy: causedBy ?? null,
    depth,
    by: by ?? null,
    exchange,
    routingKey,
    steps: steps.map(stepRow),
    leftOut: leftOut ?? 0,
  };
}

function stepRow(step: TracedStep): JourneyStepRow {
  const shared = {
    at: Date.parse(step.at) || 0,
    instance: step.instance,
    took: step.took ?? null,
    error: step.error ? { name: step.error.name, message: brief(step.error.message, 1_000) ?? '' } : null,
    reason: step.reason ?? null,
  };
  if (step.what === 'sent') {
    const { kind, exchange, routingKey, bytes, routed } = step;
    const sent = { kind, exchange, routingKey: routingKey ?? null, bytes, routed: routed ?? null };
    return { what: 'sent', ...shared, sent, attempt: null };
  }
  const { handler, service, queue, attempt: number, verdict, wait } = step;
  const attempt = { handler, service, queue, number, verdict: verdict ?? null, wait: wait ?? null };
  return { what: 'attempt', ...shared, sent: null, attempt };
}
