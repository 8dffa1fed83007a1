// What a journal knows of messages, as text for people: a line for each message and for each step, what a message caused
// below it.

import { printable } from '../runtime/logger.js';
import type { AttemptStep, JourneyError, JourneyStep, MessageJourney, SentStep } from './journey.js';

/** Deeper ones are not moved further to the right. */
const DEEPEST = 20;

/** The text of what `Journal.of` found for an id. */
export function journeyText(id: string, messages: readonly MessageJourney[]): string {
  if (messages.length === 0) return `nothing is known of ${printable(id, 255)}`;
  const start = messages
    .flatMap(({ steps }) => steps)
    .reduce((first, { at }) => Math.min(first, Date.parse(at)), Infinity);
  return messages.flatMap((message) => linesOf(message, start)).join('\n');
}

function linesOf(message: MessageJourney, start: number): string[] {
  const { id, depth, by, exchange, routingKey, causedBy, correlationId, body, steps, leftOut } = message;
  const facts = [
    exchange === '' ? `to queue ${name(routingKey)}` : `to ${name(exchange)} with key '${name(routingKey)}'`,
    by === undefined ? '' : `by ${name(by)}`,
    depth === 0 && causedBy !== undefined ? `caused by ${name(causedBy)}` : '',
    depth === 0 && correlationId !== undefined && correlationId !== id
      ? `correlation ${name(correlationId)}`
      : '',
  ];
  const indent = '   '.repeat(Math.min(depth, DEEPEST));
  const mark = depth === 0 ? '' : `${indent.slice(3)}└─ `;
  const lines = steps.map((step) => {
    const after = `+${Date.parse(step.at) - start} ms`;
    return `${indent}   ${after.padStart(10)}  ${stepText(step)}`;
  });
  if (leftOut !== undefined) lines.splice(10, 0, `${indent}   ${leftOut} steps are left out`);
  return [
    `${mark}message ${name(id)} ${facts.filter((fact) => fact !== '').join(', ')}`,
    ...(body === undefined ? [] : [`${indent}   body ${printable(body)}`]),
    ...lines,
  ];
}

const name = (text: string): string => printable(text, 255);

function stepText(step: JourneyStep): string {
  return step.what === 'sent' ? sentText(step) : attemptText(step);
}

const SENT: Readonly<Record<SentStep['kind'], string>> = {
  publish: 'published',
  send: 'sent',
  request: 'called',
  stream: 'called (stream)',
  gather: 'called (gather)',
  reply: 'reply',
  retry: 'retry',
  'dead-letter': 'dead letter',
  replay: 'replay',
};

const CALLS: ReadonlySet<SentStep['kind']> = new Set<SentStep['kind']>(['request', 'stream', 'gather']);

function sentText(step: SentStep): string {
  const { kind, exchange, routingKey, bytes, items, reason, took, routed, resent, error } = step;
  const to = routingKey === undefined || exchange !== '' ? '' : ` to queue ${name(routingKey)}`;
  const parts = [
    `${SENT[kind]}${to}, ${bytes} bytes`,
    items === undefined ? '' : `${items} items`,
    reason === undefined ? '' : name(reason),
    resent === undefined ? '' : `sent again ${resent} times`,
    outcome(),
  ];
  return parts.filter((part) => part !== '').join(', ');

  function outcome(): string {
    if (took === undefined) return 'on its way';
    if (error !== undefined) return `failed after ${took} ms: ${errorText(error)}`;
    if (CALLS.has(kind)) return `answered after ${took} ms`;
    return `${routed === false ? 'confirmed, but no queue got it' : 'confirmed'} after ${took} ms`;
  }
}

function attemptText(step: AttemptStep): string {
  const { handler, service, queue, attempt, took, verdict, wait, reason, error } = step;
  const begun = `attempt ${attempt} of ${name(handler)} in ${name(service)} (queue ${name(queue)})`;
  if (verdict === undefined) return `${begun}, runs`;
  const after = wait === undefined ? '' : ` in ${wait} ms`;
  const why = reason === undefined ? '' : ` (${reason})`;
  const what = error === undefined ? '' : `: ${errorText(error)}`;
  return `${begun}, ${verdict}${after}${why} after ${took} ms${what}`;
}

function errorText({ name: type, message }: JourneyError): string {
  return `${name(type)}: ${printable(message)}`;
}
