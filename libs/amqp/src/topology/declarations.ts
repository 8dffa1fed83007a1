// Turns options into declarations: the exchanges, queues and bindings that they ask for. Pure.

import { ConfigError } from '../errors/errors.js';
import { milliseconds } from '../options/duration.js';
import type { HeaderMatch } from '../message/headers.js';
import type { Headers } from '../message/message.js';
import { checkName } from '../message/outgoing.js';
import type {
  BindingOptions,
  ExchangeOption,
  ExchangeOptions,
  FreeBindingOptions,
  QueueOptions,
  QueueType,
} from '../options/options.js';
import { checkTopology } from '../options/option-table.js';
import { withBrokerDeadLettering } from './retry-topology.js';
import {
  usesPatterns,
  type BindingSpec,
  type ExchangeSpec,
  type QueueSpec,
  type Declarations,
} from './specs.js';

/** Topology without handlers, for `declare` and `forFeature`. */
export interface TopologyOptions {
  /** Exchanges to declare. Default: none. */
  readonly exchanges?: readonly ExchangeOptions[] | undefined;
  /** Queues to declare. Default: none. */
  readonly queues?: readonly QueueOptions[] | undefined;
  /** Bindings between them. Default: none. */
  readonly bindings?: readonly FreeBindingOptions[] | undefined;
}

/** The topology of `declare(...)`. */
export function topologyDeclarations(
  options: TopologyOptions,
  queueType: QueueType,
  declaredBy: string,
): Declarations {
  checkTopology(declaredBy, options);
  const bindings = options.bindings ?? [];
  return {
    exchanges: [
      ...(options.exchanges ?? []).map((exchange) => exchangeSpec(exchange, declaredBy)),
      ...bindings.map((binding) => exchangeSpec(binding.exchange, declaredBy)),
      // The destination of an exchange-to-exchange binding must exist as well.
      ...bindings.flatMap((binding) => (binding.to ? [exchangeSpec(binding.to, declaredBy)] : [])),
    ],
    queues: (options.queues ?? []).map((queue) =>
      withBrokerDeadLettering(queueSpec(queue, queueType, declaredBy), 'accepted'),
    ),
    bindings: bindings.flatMap((binding) => {
      if ((binding.queue === undefined) === (binding.to === undefined)) {
        throw new ConfigError(
          `${declaredBy}: a binding needs either queue or to`,
          'set the one that receives the messages',
        );
      }
      const destination = binding.queue
        ? ({ kind: 'queue', name: binding.queue } as const)
        : ({ kind: 'exchange', name: binding.to as string } as const);
      return bindingSpecs(binding, destination, declaredBy);
    }),
  };
}

/** An exchange given by name is only checked; one with a description is declared. The default type is topic. */
export function exchangeSpec(option: ExchangeOption, declaredBy: string): ExchangeSpec {
  const byName = typeof option === 'string';
  const options: ExchangeOptions = byName ? { name: option } : option;
  checkedName('exchange', options.name, declaredBy);
  return {
    name: options.name,
    type: byName ? undefined : (options.type ?? 'topic'),
    durable: options.durable ?? true,
    autoDelete: options.autoDelete ?? false,
    internal: options.internal ?? false,
    arguments: withOptions(options.arguments, `${declaredBy}: exchange '${options.name}'`, [
      ['alternateExchange', 'alternate-exchange', options.alternateExchange],
    ]),
    declare: byName ? 'check' : (options.declare ?? 'create'),
    declaredBy,
  };
}

/** A queue with its arguments. */
export function queueSpec(options: QueueOptions, fallback: QueueType, declaredBy: string): QueueSpec {
  checkedName('queue', options.name, declaredBy);
  const type = queueType(options, fallback, declaredBy);
  const { maxPriority, messageTtl, maxLength, singleActive } = options;
  const args = withOptions(options.arguments, `${declaredBy}: queue '${options.name}'`, [
    ['queueType', 'x-queue-type', options.queueType === 'default' ? undefined : options.queueType],
    ['maxPriority', 'x-max-priority', maxPriority],
    [
      'messageTtl',
      'x-message-ttl',
      messageTtl === undefined ? undefined : milliseconds(messageTtl, 'messageTtl'),
    ],
    ['maxLength', 'x-max-length', maxLength],
    ['singleActive', 'x-single-active-consumer', singleActive],
  ]);
  // `false` equals a queue without the argument.
  if (singleActive === false && options.arguments?.['x-single-active-consumer'] === undefined) {
    delete args['x-single-active-consumer'];
  }
  if (type !== 'default' && args['x-queue-type'] === undefined) args['x-queue-type'] = type;
  return {
    name: options.name,
    durable: options.durable ?? true,
    arguments: args,
    declare: options.declare ?? 'create',
    declaredBy,
    temporary: false,
  };
}

/** Arguments, and options that stand for arguments. @throws ConfigError when the two differ */
function withOptions(
  given: Headers | undefined,
  what: string,
  options: readonly (readonly [option: string, argument: string, value: unknown])[],
): Record<string, unknown> {
  const args: Record<string, unknown> = { ...given };
  for (const [option, argument, value] of options) {
    if (value === undefined) continue;
    const there = args[argument];
    if (there !== undefined && there !== value) {
      throw new ConfigError(
        `${what} has ${option} ${JSON.stringify(value)} and arguments['${argument}'] ${JSON.stringify(there)}`,
        `they mean the same; remove one of them`,
      );
    }
    args[argument] = value;
  }
  return args;
}

/** A queue for one consumer, as long as that lives. @throws ConfigError for options that only other queues can have */
export function temporaryQueue(options: QueueOptions, declaredBy: string): QueueSpec {
  const { name, durable, declare = 'create', queueType: asked } = options;
  // Leaves space for the suffix that makes the name unique.
  checkedName('queue', `${name}.0123456789`, declaredBy);
  const refuse = (option: string, value: unknown): never => {
    throw new ConfigError(
      `${declaredBy}: a queue of broadcast is classic and ends with its consumer; it cannot have ${option} ${JSON.stringify(value)}`,
      `remove ${option}, or broadcast`,
    );
  };
  if (asked === 'quorum' || asked === 'stream') refuse('queueType', asked);
  if (durable) refuse('durable', durable);
  if (declare !== 'create') refuse('declare', declare);
  const spec = queueSpec({ ...options, durable: false }, 'default', declaredBy);
  for (const [argument, value] of Object.entries(spec.arguments)) {
    const isOther = argument === 'x-queue-type' ? value !== 'classic' : NOT_CLASSIC.has(argument);
    if (isOther) refuse(`arguments['${argument}']`, value);
  }
  return { ...spec, temporary: true };
}

/** Arguments that RabbitMQ refuses for a classic queue. */
const NOT_CLASSIC = new Set([
  'x-delivery-limit',
  'x-dead-letter-strategy',
  'x-quorum-initial-group-size',
  'x-max-in-memory-length',
  'x-max-in-memory-bytes',
  'x-max-age',
]);

/** One binding per key; a match becomes binding arguments. */
export function bindingSpecs(
  binding: BindingOptions,
  destination: BindingSpec['destination'],
  declaredBy: string,
): BindingSpec[] {
  const source = typeof binding.exchange === 'string' ? binding.exchange : binding.exchange.name;
  if (source === '') {
    throw new ConfigError(
      `${declaredBy} binds to the default exchange`,
      'every queue is already bound to it by its name; remove the binding',
    );
  }
  if (binding.key !== undefined && binding.keys !== undefined) {
    throw new ConfigError(`${declaredBy}: a binding to '${source}' has key and keys`, 'use one of the two');
  }
  const args = binding.match ? matchArguments(binding.match, declaredBy) : {};
  const keys = binding.keys ?? [binding.key ?? ''];
  const topic = typeof binding.exchange === 'object' && usesPatterns(binding.exchange.type);
  return keys.map((key) => {
    checkedName('routing key', key, declaredBy);
    if (topic) checkPattern(key, declaredBy);
    return { source, destination, key, arguments: args, declaredBy };
  });
}

// An option that quorum queues do not support makes the queue classic, unless the user asked for a quorum queue.
function queueType(
  options: QueueOptions,
  fallback: QueueType,
  declaredBy: string,
): QueueOptions['queueType'] & string {
  const needsClassic =
    options.maxPriority !== undefined
      ? 'maxPriority'
      : options.durable === false
        ? 'durable: false'
        : undefined;
  const asked = options.queueType;
  if (needsClassic && (asked === 'quorum' || asked === 'stream')) {
    throw new ConfigError(
      `${declaredBy}: queue '${options.name}' cannot be a ${asked} queue with ${needsClassic}`,
      "use queueType: 'classic', or remove that option",
    );
  }
  if (asked) return asked;
  return needsClassic && fallback === 'quorum' ? 'classic' : fallback;
}

function matchArguments(match: HeaderMatch, declaredBy: string): Record<string, unknown> {
  const [kind, headers] = 'all' in match ? ['all', match.all] : ['any', match.any];
  // With 'all', a condition that is ignored lets every message in.
  const ignored = Object.keys(headers).find((name) => name.startsWith('x-'));
  if (ignored !== undefined)
    throw new ConfigError(
      `${declaredBy}: a headers exchange ignores '${ignored}' in match`,
      "headers that it looks at have names without 'x-' at the beginning",
    );
  return { 'x-match': kind, ...headers };
}

// The broker would take it for a literal word, and no message would ever match.
function checkPattern(pattern: string, declaredBy: string): void {
  const word = pattern.split('.').find((each) => each.length > 1 && /[*#]/.test(each));
  if (word === undefined) return;
  throw new ConfigError(
    `${declaredBy}: '${word}' in the pattern '${pattern}' is not a wildcard`,
    "each part between dots is a word, '*' for one word, or '#' for any number of words",
  );
}

/** @throws ConfigError for a name that AMQP does not allow */
export function checkedName(what: string, name: unknown, declaredBy: string): void {
  try {
    checkName(what, name);
  } catch (error) {
    throw new ConfigError(`${declaredBy}: ${(error as Error).message}`, '', error);
  }
}
