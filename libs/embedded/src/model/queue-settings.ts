// What a queue is declared with: the arguments checked as RabbitMQ checks them and turned into plain settings.
// Refusals have RabbitMQ's texts, because people search for them.
import type { Field, Table } from '../wire/field-table.js';
import { AmqpFailure, called, precondition } from './failure.js';
import type { VersionTraits } from './version.js';

export interface QueueSettings {
  readonly durable: boolean;
  readonly exclusive: boolean;
  readonly autoDelete: boolean;
  readonly arguments: Table;
  readonly quorum: boolean;
  /** Milliseconds; undefined keeps messages for ever. */
  readonly messageTtl: number | undefined;
  /** Milliseconds without use after which the queue goes. */
  readonly expires: number | undefined;
  readonly maxLength: number;
  readonly maxBytes: number;
  readonly overflow: 'drop-head' | 'reject-publish' | 'reject-publish-dlx';
  readonly maxPriority: number;
  /** Of a message that has none. */
  readonly usualPriority: number;
  readonly single: boolean;
  readonly deadLetterExchange: string | undefined;
  readonly deadLetterKey: string | undefined;
  readonly deliveryLimit: number;
}

export interface QueueFlags {
  readonly durable: boolean;
  readonly exclusive: boolean;
  readonly autoDelete: boolean;
}

const INTEGERS = ['byte', 'short', 'signedint', 'long', 'unsignedbyte', 'unsignedshort', 'unsignedint'];
/** The longest time to live, in milliseconds: ten years. */
export const MAX_EXPIRY = 315_360_000_000;
const OVERFLOWS = ['drop-head', 'reject-publish', 'reject-publish-dlx'];

/** Whether a field has one of the wire types that RabbitMQ takes for a whole number. */
export function isInteger(field: Field): boolean {
  return INTEGERS.includes(field.type);
}

/** A check answers with RabbitMQ's words for what is wrong, or nothing. */
type Check = (field: Field) => string | undefined;

const integer = (least: number, most: number, beyond = 'value_too_large'): Check => {
  return (field) => {
    if (!isInteger(field)) return `"expected integer, got ${field.type}"`;
    const value = Number(field.value);
    if (value < 0) return `{value_negative,${value}}`;
    if (value < least) return `{value_zero,${value}}`;
    return value > most ? `{${beyond},${value}}` : undefined;
  };
};

const typed = (type: Field['type']): Check => {
  return (field) => (field.type === type ? undefined : `{unacceptable_type,${field.type}}`);
};

/** One of some texts; the error may name the value that was given instead. */
const oneOf = (values: readonly string[], error: string): Check => {
  return (field) => {
    if (field.type !== 'longstr') return `{unacceptable_type,${field.type}}`;
    return values.includes(field.value) ? undefined : error.replace('VALUE', field.value);
  };
};

const version: Check = (field) => {
  if (!isInteger(field)) return `"expected integer, got ${field.type}"`;
  const value = Number(field.value);
  return value === 1 || value === 2 ? undefined : `"unsupported queue version '${value}'"`;
};

const longstr = typed('longstr');
const size = integer(0, Number.MAX_SAFE_INTEGER);

/** The arguments RabbitMQ knows for queues; others are accepted and kept, and never compared. */
const CHECKS: Readonly<Record<string, Check>> = {
  'x-expires': integer(1, MAX_EXPIRY),
  'x-message-ttl': integer(0, MAX_EXPIRY),
  'x-dead-letter-exchange': longstr,
  'x-dead-letter-routing-key': longstr,
  'x-dead-letter-strategy': oneOf(['at-most-once', 'at-least-once'], 'invalid_dlx_strategy'),
  'x-max-length': size,
  'x-max-length-bytes': size,
  'x-max-in-memory-length': size,
  'x-max-in-memory-bytes': size,
  'x-max-priority': integer(0, 255, 'max_value_exceeded'),
  'x-overflow': oneOf(OVERFLOWS, 'invalid_overflow'),
  'x-queue-mode': oneOf(['default', 'lazy'], `"unsupported queue mode 'VALUE'"`),
  'x-queue-version': version,
  'x-single-active-consumer': typed('bool'),
  'x-queue-type': oneOf(['classic', 'quorum', 'stream'], `"unsupported queue type 'VALUE'"`),
  'x-quorum-initial-group-size': integer(1, 1000),
  'x-max-age': longstr,
  'x-stream-max-segment-size-bytes': size,
  'x-initial-cluster-size': integer(1, 1000),
  'x-queue-leader-locator': oneOf(['client-local', 'random', 'least-leaders'], 'invalid_queue_locator_arg'),
  'x-queue-master-locator': longstr,
  // RabbitMQ takes anything here; what is no number limits nothing.
  'x-delivery-limit': () => undefined,
};

/** Arguments that are compared when a queue is declared again. */
export const QUEUE_ARGUMENTS = Object.keys(CHECKS);

const SHARED = [
  'x-expires',
  'x-message-ttl',
  'x-dead-letter-exchange',
  'x-dead-letter-routing-key',
  'x-max-length',
  'x-max-length-bytes',
  'x-overflow',
  'x-single-active-consumer',
  'x-queue-type',
];
const CLASSIC = [...SHARED, 'x-queue-master-locator', 'x-max-priority', 'x-queue-mode', 'x-queue-version'];
const QUORUM = [
  ...SHARED,
  'x-queue-leader-locator',
  'x-dead-letter-strategy',
  'x-max-in-memory-length',
  'x-max-in-memory-bytes',
  'x-quorum-initial-group-size',
  'x-delivery-limit',
];

/** Checks a declaration. Throws 406 (or 540 for streams) as RabbitMQ does. */
export function queueSettings(
  name: string,
  vhost: string,
  flags: QueueFlags,
  table: Table,
  traits: VersionTraits,
): QueueSettings {
  const where = called('queue', name, vhost);
  const quorum = queueType(table, where) === 'quorum';
  checkArguments(where, table, quorum, traits);
  if (table.has('x-dead-letter-routing-key') && !table.has('x-dead-letter-exchange')) {
    throw precondition(
      `invalid arg 'x-dead-letter-routing-key' for ${where}: routing_key_but_no_dlx_defined`,
    );
  }
  if (quorum) checkQuorum(name, where, flags);
  return {
    ...flags,
    arguments: table,
    quorum,
    messageTtl: number(table, 'x-message-ttl'),
    expires: number(table, 'x-expires'),
    maxLength: number(table, 'x-max-length') ?? Infinity,
    maxBytes: number(table, 'x-max-length-bytes') ?? Infinity,
    overflow: (text(table, 'x-overflow') ?? 'drop-head') as QueueSettings['overflow'],
    maxPriority: quorum ? traits.quorumPriorities.most : (number(table, 'x-max-priority') ?? 0),
    usualPriority: quorum ? traits.quorumPriorities.usual : 0,
    single: table.get('x-single-active-consumer')?.value === true,
    deadLetterExchange: text(table, 'x-dead-letter-exchange'),
    deadLetterKey: text(table, 'x-dead-letter-routing-key'),
    deliveryLimit: quorum ? deliveryLimit(table, traits) : Infinity,
  };
}

function queueType(table: Table, where: string): string {
  const field = table.get('x-queue-type');
  const wrong = field && CHECKS['x-queue-type']?.(field);
  if (wrong) throw precondition(`invalid arg 'x-queue-type' for ${where}: ${wrong}`);
  const type = text(table, 'x-queue-type') ?? 'classic';
  if (type !== 'stream') return type;
  throw new AmqpFailure(540, `the embedded broker has no streams (${where}), use RabbitMQ for them`);
}

function checkArguments(where: string, table: Table, quorum: boolean, traits: VersionTraits): void {
  const allowed = quorum ? QUORUM : CLASSIC;
  for (const argument of QUEUE_ARGUMENTS) {
    if (!table.has(argument) || allowed.includes(argument)) continue;
    const type = quorum ? 'rabbit_quorum_queue' : 'rabbit_classic_queue';
    throw precondition(`invalid arg '${argument}' for ${where} of queue type ${type}`);
  }
  for (const [argument, field] of table) {
    if (argument === 'x-dead-letter-exchange' && field.type !== 'longstr') {
      const queue = where.replace('queue ', 'in queue ');
      throw precondition(`invalid type '${field.type}' for arg '${argument}' ${queue}`);
    }
    if (argument === 'x-queue-mode' && !traits.checksModes) continue;
    const wrong = CHECKS[argument]?.(field);
    if (wrong) throw precondition(`invalid arg '${argument}' for ${where}: ${wrong}`);
  }
}

function checkQuorum(name: string, where: string, flags: QueueFlags): void {
  if (name.startsWith('amq.gen-')) {
    throw precondition('Cannot declare a server-named queue for type rabbit_quorum_queue');
  }
  const property = !flags.durable
    ? 'non-durable'
    : flags.autoDelete
      ? 'auto-delete'
      : flags.exclusive
        ? 'exclusive-owner'
        : undefined;
  if (property) throw precondition(`invalid property '${property}' for ${where}`);
}

function deliveryLimit(table: Table, { deliveryLimit: { usual, negative } }: VersionTraits): number {
  const field = table.get('x-delivery-limit');
  if (!field || !isInteger(field)) return usual;
  return Number(field.value) >= 0 ? Number(field.value) : negative;
}

function number(table: Table, name: string): number | undefined {
  const field = table.get(name);
  return field ? Number(field.value) : undefined;
}

function text(table: Table, name: string): string | undefined {
  const field = table.get(name);
  return field?.type === 'longstr' ? field.value : undefined;
}
