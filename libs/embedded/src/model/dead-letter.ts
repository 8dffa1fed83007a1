// Dead letters as RabbitMQ writes them: a copy with x-death (one entry per queue and reason, newest first, with a count),
// the x-first-death headers, since 4.0 x-last-death headers, no expiration, and no CC when the queue names another routing
// key. Until 4.0 the history of a message is read from its headers, whoever wrote them; since then the broker keeps it.
import { encodeTable, type Field, type Table } from '../wire/field-table.js';
import { changeProperties, tableProperty } from '../wire/properties.js';
import { type Death, type History, Message } from './message.js';
import type { DeathReason, Queue } from './queue.js';
import { isInteger } from './queue-settings.js';
import type { VersionTraits } from './version.js';

const longstr = (value: string): Field => ({ type: 'longstr', value });

/** The copy of a message that its queue's dead letter exchange gets. */
export function deadLetter(
  queue: Queue,
  message: Message,
  reason: DeathReason,
  exchange: string,
  wallSeconds: number,
  { remembersDeaths }: VersionTraits,
): Message {
  const key = queue.settings.deadLetterKey;
  const headers = new Map(message.headers);
  const carbonCopies = copies(headers, 'CC');
  const event = new Map<string, Field>([
    ['reason', longstr(reason)],
    ['queue', longstr(queue.name)],
    ['time', { type: 'timestamp', value: wallSeconds }],
    ['exchange', longstr(message.exchange)],
    ['routing-keys', { type: 'array', value: [message.routingKey, ...carbonCopies].map(longstr) }],
  ]);
  const expiration = message.text('expiration');
  if (expiration !== undefined) event.set('original-expiration', longstr(expiration));
  let history: History | undefined;
  if (remembersDeaths) {
    const death = { queue: queue.name, reason, exchange: message.exchange, count: 1, facts: event };
    history = remembered(message.history, death);
    tellHistory(headers, history);
  } else recordDeath(headers, event, queue.name, reason, message.exchange);
  if (key !== undefined) headers.delete('CC');
  const properties = changeProperties(message.properties, [
    ['headers', tableProperty(encodeTable(headers))],
    ['expiration', undefined],
  ]);
  const keys = key === undefined ? message.routingKeys : [key];
  return new Message(exchange, keys, properties, message.body, history);
}

function remembered(before: History | undefined, death: Death): History {
  if (!before) return { first: death, deaths: [death] };
  const same = ({ queue, reason }: Death): boolean => queue === death.queue && reason === death.reason;
  const earlier = before.deaths.find(same);
  const latest = earlier ? { ...earlier, count: earlier.count + 1 } : death;
  return { first: before.first, deaths: [latest, ...before.deaths.filter((one) => !same(one))] };
}

/** Whatever a client wrote into these headers is gone. */
function tellHistory(headers: Map<string, Field>, { first, deaths }: History): void {
  for (const [which, { queue, reason, exchange }] of [
    ['first', first],
    ['last', deaths[0]],
  ] as const) {
    headers.set(`x-${which}-death-reason`, longstr(reason));
    headers.set(`x-${which}-death-queue`, longstr(queue));
    headers.set(`x-${which}-death-exchange`, longstr(exchange));
  }
  const entries = deaths.map(({ count, facts }): Field => {
    return { type: 'table', value: new Map([['count', { type: 'long', value: count }], ...facts]) };
  });
  headers.set('x-death', { type: 'array', value: entries });
}

function recordDeath(
  headers: Map<string, Field>,
  event: Table,
  queue: string,
  reason: string,
  exchange: string,
): void {
  const before = headers.get('x-death');
  const first: Field = { type: 'table', value: new Map([['count', one()], ...event]) };
  if (before?.type !== 'array') {
    headers.set('x-first-death-reason', longstr(reason));
    headers.set('x-first-death-queue', longstr(queue));
    headers.set('x-first-death-exchange', longstr(exchange));
    headers.set('x-death', { type: 'array', value: [first] });
    return;
  }
  const same = (field: Field): boolean =>
    field.type === 'table' &&
    field.value.get('queue')?.value === queue &&
    field.value.get('reason')?.value === reason;
  const earlier = before.value.find(same);
  const others = before.value.filter((field) => !same(field));
  const latest = earlier?.type === 'table' ? counted(earlier.value) : first;
  headers.set('x-death', { type: 'array', value: [latest, ...others] });
}

function one(): Field {
  return { type: 'long', value: 1 };
}

function counted(event: Table): Field {
  const count = event.get('count');
  // The queue of RabbitMQ fails when a client wrote something else.
  const whole = count && (isInteger(count) || count.type === 'timestamp');
  const value = whole ? BigInt(count.value as number | bigint) + 1n : 1n;
  return { type: 'table', value: new Map([...event, ['count', { type: 'long', value }]]) };
}

/** Routing keys in a CC or BCC header; anything that is not a list of texts has none. */
export function copies(headers: Table, name: 'CC' | 'BCC'): string[] {
  const field = headers.get(name);
  if (field?.type !== 'array') return [];
  return field.value.flatMap((entry) => (entry.type === 'longstr' ? [entry.value] : []));
}

/** Whether a message went round without any client rejecting it; such a loop would never end. */
export function isCycle(message: Message, queue: Queue): boolean {
  if (message.history) {
    const { deaths } = message.history;
    const rejected = deaths.findIndex(({ reason }) => reason === 'rejected');
    return deaths
      .slice(0, rejected === -1 ? undefined : rejected)
      .some((death) => death.queue === queue.name);
  }
  const deaths = message.headers.get('x-death');
  if (deaths?.type !== 'array') return false;
  for (const death of deaths.value) {
    if (death.type !== 'table') return false;
    if (death.value.get('reason')?.value === 'rejected') return false;
    if (death.value.get('queue')?.value === queue.name) return true;
  }
  return false;
}
