// What a queue is declared with: the arguments checked as RabbitMQ checks them and turned into plain settings.
// Refusals have RabbitMQ's texts, because people search for them.
import type { Field, Table } from '../wire/field-table.js';
import { AmqpFailure, called, precondition } from './failure.js';

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
const MAX_EXPIRY = 315_360_000_000;
const OVERFLOWS = ['drop-head', 'reject-publish', 'reject-publish-dlx'];

/** A check answers with RabbitMQ's words for what is wrong, or nothing. */
type Check = (field: Field) => string | undefined;

const integer = (least: number, most: number): Check => {
  return (field) => {
    if (!INTEGERS.includes(field.type)) return `{unacceptable_type,${field.type}}`;
    const value = Number(field.value);
    if (value < 0) return `{value_negative,${value}}`;
    if (value < least) return '{value_zero,0}'.replace('0}', `${value}}`);
    return value > most ? `{value_too_large,${value}}` : undefined;
  };
};

const longstr: Check = (field) =>
  field.type === 'longstr' ? undefined : `{unacceptable_type,${field.type}}`;
const bool: Check = (field) => (field.type === 'bool' ? undefined : `{unacceptable_type,${field.type}}`);
const oneOf = (values: readonly string[], error: string): Check => {
  return (field) => {
    if (field.type !== 'longstr') return `{unacceptable_type,${field.type}}`;
    return values.includes(field.value) ? undefined : error;
  };
};

/** The arguments RabbitMQ knows for queues; others are accepted and kept, and never compared. */
const CHECKS: Readonly<Record<string, Check>> = {
  'x-expires': integer(1, MAX_EXPIRY),
  'x-message-ttl': integer(0, MAX_EXPIRY),
  'x-dead-letter-exchange': longstr,
  'x-dead-letter-routing-key': longstr,
  'x-dead-letter-strategy': oneOf(['at-most-once', 'at-least-once'], 'invalid_dlx_strategy'),
  'x-max-length': integer(0, Number.MAX_SAFE_INTEGER),
  'x-max-length-bytes': integer(0, Number.MAX_SAFE_INTEGER),
  'x-max-in-memory-length': integer(0, Number.MAX_SAFE_INTEGER),
  'x-max-in-memory-bytes': integer(0, Number.MAX_SAFE_INTEGER),
  'x-max-priority': integer(0, 255),
  'x-overflow': oneOf(OVERFLOWS, 'invalid_overflow'),
  'x-queue-mode': oneOf(['default', 'lazy'], 'invalid_queue_mode'),
  'x-queue-version': integer(1, 2),
  'x-single-active-consumer': bool,
  'x-queue-type': longstr,
  'x-quorum-initial-group-size': integer(1, 1000),
  'x-max-age': longstr,
  'x-stream-max-segment-size-bytes': integer(0, Number.MAX_SAFE_INTEGER),
  'x-initial-cluster-size': integer(1, 1000),
  'x-queue-leader-locator': oneOf(['client-local', 'random', 'least-leaders'], 'invalid_queue_locator_arg'),
  'x-queue-master-locator': longstr,
  'x-delivery-limit': integer(0, Number.MAX_SAFE_INTEGER),
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
  'x-queue-leader-locator',
  'x-queue-master-locator',
];
const CLASSIC = [...SHARED, 'x-max-priority', 'x-queue-mode', 'x-queue-version'];
const QUORUM = [
  ...SHARED,
  'x-dead-letter-strategy',
  'x-max-in-memory-length',
  'x-max-in-memory-bytes',
  'x-quorum-initial-group-size',
  'x-delivery-limit',
];

/** Checks a declaration. Throws 406 (or 540 for streams) as RabbitMQ does. */
export function queueSettings(name: string, vhost: string, flags: QueueFlags, table: Table): QueueSettings {
  const where = called('queue', name, vhost);
  for (const [argument, field] of table) {
    const wrong = CHECKS[argument]?.(field);
    if (wrong) throw precondition(`invalid arg '${argument}' for ${where}: ${wrong}`);
  }
  if (table.has('x-dead-letter-routing-key') && !table.has('x-dead-letter-exchange')) {
    throw precondition(
      `invalid arg 'x-dead-letter-routing-key' for ${where}: routing_key_but_no_dlx_defined`,
    );
  }
  const quorum = queueType(table, where) === 'quorum';
  checkType(name, where, flags, table, quorum);
  return {
    ...flags,
    arguments: table,
    quorum,
    messageTtl: number(table, 'x-message-ttl'),
    expires: number(table, 'x-expires'),
    maxLength: number(table, 'x-max-length') ?? Infinity,
    maxBytes: number(table, 'x-max-length-bytes') ?? Infinity,
    overflow: (text(table, 'x-overflow') ?? 'drop-head') as QueueSettings['overflow'],
    maxPriority: number(table, 'x-max-priority') ?? 0,
    single: table.get('x-single-active-consumer')?.value === true,
    deadLetterExchange: text(table, 'x-dead-letter-exchange'),
    deadLetterKey: text(table, 'x-dead-letter-routing-key'),
    deliveryLimit: quorum ? (number(table, 'x-delivery-limit') ?? Infinity) : Infinity,
  };
}

function queueType(table: Table, where: string): string {
  const type = text(table, 'x-queue-type') ?? 'classic';
  if (type === 'classic' || type === 'quorum') return type;
  if (type === 'stream') {
    throw new AmqpFailure(540, `${where}: the embedded broker has no streams, use RabbitMQ for them`);
  }
  throw precondition(`invalid arg 'x-queue-type' for ${where}: {unsupported_queue_type,<<"${type}">>}`);
}

function checkType(name: string, where: string, flags: QueueFlags, table: Table, quorum: boolean): void {
  const allowed = quorum ? QUORUM : CLASSIC;
  for (const argument of QUEUE_ARGUMENTS) {
    if (!table.has(argument) || allowed.includes(argument)) continue;
    const type = quorum ? 'rabbit_quorum_queue' : 'rabbit_classic_queue';
    throw precondition(`invalid arg '${argument}' for ${where} of queue type ${type}`);
  }
  if (!quorum) return;
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

function number(table: Table, name: string): number | undefined {
  const field = table.get(name);
  return field ? Number(field.value) : undefined;
}

function text(table: Table, name: string): string | undefined {
  const field = table.get(name);
  return field?.type === 'longstr' ? field.value : undefined;
}
