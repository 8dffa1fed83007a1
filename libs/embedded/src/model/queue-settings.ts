// The arguments of a queue, checked as RabbitMQ does and turned into plain settings. Refusals have RabbitMQ's texts,
// because people search for them.
import type { Field, Table } from '../wire/field-table.js';
import { called, precondition } from './failure.js';
import { ageInSeconds } from './stream-arguments.js';
import type { StreamLimits } from './stream-log.js';
import type { VersionTraits } from './version.js';

export type QueueType = 'classic' | 'quorum' | 'stream';

export interface QueueSettings {
  readonly type: QueueType;
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
  readonly stream: StreamLimits;
}

export interface QueueFlags {
  readonly durable: boolean;
  readonly exclusive: boolean;
  readonly autoDelete: boolean;
}

const INTEGERS = ['byte', 'short', 'signedint', 'long', 'unsignedbyte', 'unsignedshort', 'unsignedint'];
/** The longest time to live, in milliseconds: ten years. */
export const MAX_EXPIRY = 315_360_000_000;
const LOCATORS = ['client-local', 'balanced', 'random', 'least-leaders'];
const OVERFLOWS = ['drop-head', 'reject-publish', 'reject-publish-dlx'];

/** Whether a field has one of the wire types that RabbitMQ takes for a whole number. */
export function isInteger(field: Field): boolean {
  return INTEGERS.includes(field.type);
}

/** Returns RabbitMQ's error text, or undefined. */
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
  'x-max-age': (field) =>
    longstr(field) ??
    (typeof field.value === 'string' && ageInSeconds(field.value) !== undefined
      ? undefined
      : 'invalid_max_age'),
  'x-stream-max-segment-size-bytes': size,
  'x-stream-filter-size-bytes': size,
  'x-initial-cluster-size': integer(1, 1000),
  'x-queue-leader-locator': oneOf(LOCATORS, 'invalid_queue_locator_arg'),
  'x-queue-master-locator': longstr,
  // RabbitMQ takes anything here; what is no number limits nothing.
  'x-delivery-limit': () => undefined,
};

const SEGMENT = 'x-stream-max-segment-size-bytes';
const MAX_SEGMENT = 3_000_000_000;
const DEFAULT_SEGMENT = 500_000_000;
const FILTER_SIZE = 'x-stream-filter-size-bytes';

const QUEUE_ARGUMENTS = Object.keys(CHECKS);

/** Arguments that are compared when a queue is declared again; not every type of queue takes all of them. */
export function queueArguments({ filtersStreams }: VersionTraits): readonly string[] {
  return filtersStreams ? QUEUE_ARGUMENTS : QUEUE_ARGUMENTS.filter((argument) => argument !== FILTER_SIZE);
}

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
const STREAM = [
  'x-queue-type',
  'x-max-length-bytes',
  'x-max-age',
  SEGMENT,
  'x-initial-cluster-size',
  'x-queue-leader-locator',
  FILTER_SIZE,
];
const ALLOWED: Readonly<Record<QueueType, readonly string[]>> = {
  classic: CLASSIC,
  quorum: QUORUM,
  stream: STREAM,
};

/** Checks a declaration. Throws 406 as RabbitMQ does. */
export function queueSettings(
  name: string,
  vhost: string,
  flags: QueueFlags,
  table: Table,
  traits: VersionTraits,
): QueueSettings {
  const where = called('queue', name, vhost);
  const type = queueType(table, where);
  const quorum = type === 'quorum';
  checkArguments(where, table, type, traits);
  if (table.has('x-dead-letter-routing-key') && !table.has('x-dead-letter-exchange')) {
    throw precondition(
      `invalid arg 'x-dead-letter-routing-key' for ${where}: routing_key_but_no_dlx_defined`,
    );
  }
  if (type !== 'classic') checkReplicated(name, where, flags, type);
  return {
    type,
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
    stream: streamLimits(table),
  };
}

function queueType(table: Table, where: string): QueueType {
  const field = table.get('x-queue-type');
  const wrong = field && CHECKS['x-queue-type']?.(field);
  if (wrong) throw precondition(`invalid arg 'x-queue-type' for ${where}: ${wrong}`);
  return (text(table, 'x-queue-type') ?? 'classic') as QueueType;
}

function streamLimits(table: Table): StreamLimits {
  const segmentBytes = number(table, SEGMENT) ?? DEFAULT_SEGMENT;
  if (segmentBytes > MAX_SEGMENT) throw precondition(`Exceeded max value for ${SEGMENT}`);
  return {
    maxBytes: number(table, 'x-max-length-bytes') ?? Infinity,
    maxAge: ageInSeconds(text(table, 'x-max-age') ?? '') ?? Infinity,
    segmentBytes,
  };
}

function checkArguments(where: string, table: Table, type: QueueType, traits: VersionTraits): void {
  const allowed = ALLOWED[type];
  for (const argument of queueArguments(traits)) {
    if (!table.has(argument) || allowed.includes(argument)) continue;
    throw precondition(`invalid arg '${argument}' for ${where} of queue type rabbit_${type}_queue`);
  }
  for (const [argument, field] of table) {
    if (argument === 'x-dead-letter-exchange' && field.type !== 'longstr') {
      const queue = where.replace('queue ', 'in queue ');
      throw precondition(`invalid type '${field.type}' for arg '${argument}' ${queue}`);
    }
    if (argument === 'x-queue-mode' && !traits.checksModes) continue;
    if (argument === FILTER_SIZE) checkFilterSize(field, where, traits);
    const wrong = Object.hasOwn(CHECKS, argument) ? CHECKS[argument](field) : undefined;
    if (wrong) throw precondition(`invalid arg '${argument}' for ${where}: ${wrong}`);
  }
}

function checkReplicated(name: string, where: string, flags: QueueFlags, type: QueueType): void {
  if (name.startsWith('amq.gen-')) {
    throw precondition(`Cannot declare a server-named queue for type rabbit_${type}_queue`);
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

function checkFilterSize(field: Field, where: string, { filtersStreams }: VersionTraits): void {
  if (!filtersStreams) return;
  const wrong = size(field);
  if (wrong) throw precondition(`invalid arg '${FILTER_SIZE}' for ${where}: ${wrong}`);
  const value = Number(field.value);
  if (value < 16 || value > 255) throw precondition(`Invalid value for ${FILTER_SIZE}`);
}

function deliveryLimit(table: Table, { deliveryLimit: { usual, negative } }: VersionTraits): number {
  const limit = declaredDeliveryLimit(table);
  if (limit === undefined) return usual;
  return limit >= 0 ? limit : negative;
}

/** What the arguments say, undefined without a number. */
export function declaredDeliveryLimit(table: Table): number | undefined {
  const field = table.get('x-delivery-limit');
  return field && isInteger(field) ? Number(field.value) : undefined;
}

function number(table: Table, name: string): number | undefined {
  const field = table.get(name);
  return field ? Number(field.value) : undefined;
}

function text(table: Table, name: string): string | undefined {
  const field = table.get(name);
  return field?.type === 'longstr' ? field.value : undefined;
}
