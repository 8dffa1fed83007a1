// Plans a handler from its options: queue, bindings, how it is consumed and what happens to failures. It runs before
// connecting, so that a mistake is an error at boot that names the handler.

import { CALLS_EXCHANGE, GATHER_EXCHANGE } from '../message/call-control.js';
import { type ExchangeSpec, type QueueSpec, type Declarations, deadQueueName } from './specs.js';
import { humanDuration, milliseconds, MAX_DURATION } from '../options/duration.js';
import type { Rate } from '../options/rate.js';
import { ConfigError } from '../errors/errors.js';
import { errorClasses } from '../errors/known-errors.js';
import type { ErrorClass, HandlerOptions, ReplyStore, BindingOptions } from '../options/options.js';
import type { StandardSchema } from '../message/schema.js';
import { isGeneratorFunction } from '../message/items.js';
import { checkOptions, HANDLER_OPTIONS } from '../options/option-table.js';
import { retryPolicy, type RetryPolicy } from '../options/retry-policy.js';
import type { Codec } from '../message/codecs/codec.js';
import type { Delivery } from '../message/delivery.js';
import type { HeaderMatch, ReturnRoute } from '../message/headers.js';
import { checkPrefetch, type Settings } from '../options/settings.js';
import { checkLimits, checkRate, decorated, heldByRate } from './handler-limits.js';
import {
  deadQueueSpec,
  withBrokerDeadLettering,
  waitName,
  waitStep,
  returnRouteTo,
  returnRouteDeclarations,
} from './retry-topology.js';
import { bindingSpecs, exchangeSpec, queueSpec, temporaryQueue } from './declarations.js';

// Plans the options of RPC handlers.

/** The exchange of calls with this name; undefined for any other name. */
export function callsExchange(name: string): ExchangeSpec | undefined {
  if (name !== CALLS_EXCHANGE && name !== GATHER_EXCHANGE) return undefined;
  return {
    name,
    type: name === CALLS_EXCHANGE ? 'topic' : 'direct',
    durable: true,
    autoDelete: false,
    internal: false,
    arguments: {},
    declare: 'create',
    declaredBy: 'calls',
  };
}

/**
 * The options of an RPC handler, parsed: the errors it shares with its callers, checks of its replies, and how
 * repeated and abandoned requests are handled.
 */
export interface RpcPlan {
  /** Error classes that callers know, by name. */
  readonly known: ReadonlyMap<string, ErrorClass>;
  readonly response: StandardSchema | undefined;
  /** Whether to skip requests whose callers are gone. */
  readonly skipsGone: boolean;
  /** Every instance replies. */
  readonly broadcast: boolean;
  /** Where replies are stored; by default, in memory. */
  readonly idempotent: { readonly ttl: number; readonly store: ReplyStore | undefined } | undefined;
}

/** Options for RPC handlers only. */
export const RPC_OPTIONS = ['errors', 'response', 'ifCallerGone', 'idempotent'] as const;

/** @throws ConfigError */
export function rpcPlan(options: HandlerOptions, name: string): RpcPlan {
  const { errors, response, ifCallerGone, broadcast, idempotent } = options;
  if (idempotent && idempotent.ttl === undefined) {
    throw new ConfigError(`${name}: idempotent needs a ttl`, "set how long replies are kept: { ttl: '10m' }");
  }
  return {
    known: errorClasses(errors, name),
    response,
    skipsGone: ifCallerGone === 'skip',
    broadcast: broadcast === true,
    idempotent: idempotent && {
      ttl: milliseconds(idempotent.ttl, `${name} idempotent.ttl`),
      store: idempotent.store,
    },
  };
}

/** A registered handler. */
export interface HandlerRegistration {
  readonly kind: 'consume' | 'subscribe' | 'rpc';
  /** Name in logs and errors, and in the queue of `subscribe`: `OrderHandlers.place`. */
  readonly id: string;
  /** consume: the queue; subscribe: the patterns; rpc: the pattern. May be empty when `options` contains it. */
  readonly patterns: readonly string[];
  readonly options: HandlerOptions;
  /** Its result decides the outcome. It gets an array when `options.batch` is set. */
  readonly handle: (input: Delivery | readonly Delivery[]) => unknown;
}

/** Which messages go to a handler, among those that share its queue. */
export interface Route {
  readonly exchange: string;
  readonly type: string | undefined;
  readonly key: string;
  readonly match: HeaderMatch | undefined;
}

/** The option `breaker`, complete. `pause` is in ms. */
export interface BreakerPlan {
  readonly failures: number;
  readonly of: number;
  readonly pause: number;
}

/** A planned handler. */
export interface HandlerPlan {
  readonly registration: HandlerRegistration;
  readonly id: string;
  readonly queue: QueueSpec;
  readonly declarations: Declarations;
  readonly routes: readonly Route[];
  readonly prefetch: number;
  readonly concurrency: number;
  readonly ack: 'auto' | 'manual' | 'none';
  readonly batch: { readonly size: number; readonly wait: number } | undefined;
  readonly consumeArguments: Readonly<Record<string, unknown>>;
  readonly retry: RetryPolicy;
  /** How a message returns after its retry delay. */
  readonly back: ReturnRoute;
  /** The dead-letter queue of its failures, if any. */
  readonly deadQueue: string | undefined;
  readonly timeout: number | undefined;
  readonly schema: StandardSchema | undefined;
  readonly codec: Codec | undefined;
  /** For RPC handlers only. */
  readonly rpc: RpcPlan | undefined;
  readonly rate: Rate | undefined;
  readonly breaker: BreakerPlan | undefined;
  /** Whether it begins paused. */
  readonly paused: boolean;
}

/** Plans a registration. @throws ConfigError */
export function planHandler(registration: HandlerRegistration, settings: Settings): HandlerPlan {
  const { kind, id, options } = registration;
  const name = decorated(registration);
  checkOptions(name, options, HANDLER_OPTIONS);
  checkCombinations(registration, name);
  checkPrefetch(options, name);
  const bindings = bindingsOf(registration, settings, name);
  const given = queueOf(registration, settings, name);
  const keepsDead = (options.deadLetter ?? kind !== 'rpc') !== false;
  const deadQueue = keepsDead && !options.stream ? deadQueueName(given.name) : undefined;
  if (deadQueue) checkedDeadQueue(deadQueue, name);
  // Requests expire regularly, and their callers know the outcome.
  const queue =
    deadQueue && kind !== 'rpc' ? withBrokerDeadLettering(given, modeOf(options, settings)) : given;
  const back = returnRouteTo(queue);
  const plan: HandlerPlan = {
    registration,
    id,
    queue,
    declarations: {
      exchanges: bindings.map((binding) => exchangeSpec(binding.exchange, name)),
      queues: deadQueue ? [queue, deadQueueSpec(queue)] : [queue],
      bindings: bindings.flatMap((binding) =>
        bindingSpecs(binding, { kind: 'queue', name: queue.name }, name),
      ),
    },
    routes: bindings.flatMap(routesOf),
    ...consuming(options, settings, name),
    retry: retryPolicy(options.stream ? false : retryOf(registration, settings), name),
    back,
    deadQueue,
    timeout: options.timeout === undefined ? undefined : milliseconds(options.timeout, `${name} timeout`),
    schema: options.schema,
    codec: options.codec,
    rpc: kind === 'rpc' ? rpcPlan(options, name) : undefined,
  };
  checkLimits(plan, settings, name);
  checkWaits(settings, back, name);
  return back.kind === 'retry'
    ? { ...plan, declarations: joined(plan.declarations, returnRouteDeclarations(queue)) }
    : plan;
}

/** The longest name of a wait queue for its messages. */
function checkWaits({ service }: Settings, back: ReturnRoute, name: string): void {
  try {
    waitName(service, waitStep(MAX_DURATION), back);
  } catch (error) {
    throw new ConfigError(`${name}: ${(error as Error).message}`, 'make the option service shorter', error);
  }
}

// It is longer than the queue name: without this check, the first dead letter would fail.
function checkedDeadQueue(deadQueue: string, name: string): void {
  const bytes = Buffer.byteLength(deadQueue);
  if (bytes <= 255) return;
  throw new ConfigError(
    `${name}: the name of its dead-letter queue '${deadQueue}' is ${bytes} bytes long`,
    'AMQP allows 255 bytes; shorten the name of the queue, or use deadLetter: false',
  );
}

function modeOf({ deadLetter }: HandlerOptions, settings: Settings): 'wanted' | 'unwanted' {
  const own = typeof deadLetter === 'object' ? deadLetter.broker : undefined;
  return (own ?? settings.brokerDeadLetters) ? 'wanted' : 'unwanted';
}

function joined(one: Declarations, other: Declarations): Declarations {
  return {
    exchanges: [...one.exchanges, ...other.exchanges],
    queues: [...one.queues, ...other.queues],
    bindings: [...one.bindings, ...other.bindings],
  };
}

function checkCombinations({ kind, options, handle }: HandlerRegistration, name: string): void {
  const refuse = (what: string, hint: string): never => {
    throw new ConfigError(`${name}: ${what}`, hint);
  };
  if (kind !== 'rpc' && isGeneratorFunction(handle))
    refuse(
      'it is a generator function, whose body would never run',
      'make it an async function; only @RpcHandler can stream items',
    );
  if (options.broadcast && kind === 'consume')
    refuse('broadcast is for @Subscribe and @RpcHandler', 'remove it');
  if (options.broadcast && options.queue) refuse('broadcast creates a queue per instance', 'remove queue');
  if (options.broadcast && options.stream)
    refuse('broadcast creates a queue per instance, and no stream', 'remove broadcast or stream');
  if (options.batch && kind === 'rpc')
    refuse('an RPC handler replies to one request at a time', 'remove batch');
  if (options.batch && options.ack === 'none') refuse('a batch requires acks', "use ack: 'auto' or 'manual'");
  if (options.batch && options.orderBy)
    refuse('a batch runs as one, whatever the keys', 'remove orderBy or batch');
  if (options.orderBy && options.ack === 'none')
    refuse('orderBy requires acks: a crash would lose the waiting messages', "remove ack: 'none'");
  if (options.ack === 'manual' && kind === 'rpc')
    refuse('the reply settles the request', "remove ack: 'manual'");
  if (options.stream && options.ack === 'none')
    refuse('a stream requires acks for its flow control', "remove ack: 'none'");
  for (const option of RPC_OPTIONS) {
    if (kind !== 'rpc' && options[option] !== undefined) refuse(`${option} is for @RpcHandler`, 'remove it');
  }
  if (options.stream && kind === 'rpc') refuse('a stream cannot hold requests', 'remove stream');
  if (options.stream && options.queueType !== undefined && options.queueType !== 'stream') {
    refuse(`stream reads a stream queue, not a ${options.queueType} one`, 'remove queueType');
  }
}

function retryOf({ kind, options }: HandlerRegistration, settings: Settings): HandlerOptions['retry'] {
  // The caller of an RPC waits: by default it gets the error at once and decides itself.
  if (options.retry !== undefined) return options.retry;
  return kind === 'rpc' ? false : settings.retry;
}

function bindingsOf(registration: HandlerRegistration, settings: Settings, name: string): BindingOptions[] {
  const { kind, patterns, options } = registration;
  const listed = [...(options.bindings ?? [])];
  if (kind === 'subscribe') {
    if (patterns.length === 0 && listed.length === 0) {
      throw new ConfigError(`${name} needs a topic or bindings`, "write @Subscribe('order.*')");
    }
    const exchange = options.exchange ?? { name: settings.exchange, type: 'topic' };
    return patterns.length > 0 ? [{ exchange, keys: patterns }, ...listed] : listed;
  }
  if (kind === 'rpc' && options.broadcast) {
    return [{ exchange: { name: GATHER_EXCHANGE, type: 'direct' }, keys: patterns }, ...listed];
  }
  if (!options.exchange) return listed;
  const type = typeof options.exchange === 'string' ? undefined : (options.exchange.type ?? 'topic');
  if (kind === 'rpc') return [{ exchange: options.exchange, keys: patterns }, ...listed];
  if (type !== 'fanout' && listed.length === 0) {
    throw new ConfigError(`${name} names an exchange but no keys`, 'use bindings: [{ exchange, key }]');
  }
  return listed.length > 0 ? listed : [{ exchange: options.exchange }];
}

function queueOf(registration: HandlerRegistration, settings: Settings, name: string): QueueSpec {
  const { kind, id, patterns, options } = registration;
  if (options.broadcast) return temporaryQueue({ ...options, name: `${settings.service}.${id}` }, name);
  const named = options.queue ?? (kind === 'subscribe' ? `${settings.service}.${id}` : patterns[0]);
  if (!named)
    throw new ConfigError(
      `${name} needs the name of its queue`,
      "write @Consume('orders') or { queue: 'orders' }",
    );
  const queueType = options.stream ? 'stream' : options.queueType;
  return queueSpec(
    { ...options, name: named, queueType },
    kind === 'rpc' ? 'classic' : settings.queueType,
    name,
  );
}

function routesOf(binding: BindingOptions): Route[] {
  const exchange = typeof binding.exchange === 'string' ? binding.exchange : binding.exchange.name;
  const type = typeof binding.exchange === 'string' ? undefined : (binding.exchange.type ?? 'topic');
  return (binding.keys ?? [binding.key ?? '']).map((key) => ({ exchange, type, key, match: binding.match }));
}

type Consuming = Pick<
  HandlerPlan,
  'prefetch' | 'concurrency' | 'ack' | 'batch' | 'consumeArguments' | 'rate' | 'breaker' | 'paused'
>;

function consuming(options: HandlerOptions, settings: Settings, name: string): Consuming {
  const batch = options.batch && {
    size: options.batch.size,
    wait: milliseconds(options.batch.wait ?? '1s', `${name} batch.wait`),
  };
  // A batch larger than the prefetch would never be full.
  const usual = Math.min(settings.prefetch, Math.max(1, heldByRate(options, settings.consumerTimeout)));
  const prefetch = Math.max(options.prefetch ?? usual, batch?.size ?? 0);
  checkRate({ ...options, prefetch }, settings.consumerTimeout, name);
  const consumeArguments: Record<string, unknown> = {};
  if (options.priority !== undefined) consumeArguments['x-priority'] = options.priority;
  if (options.stream) consumeArguments['x-stream-offset'] = streamOffset(options.stream.offset);
  return {
    prefetch,
    concurrency: options.concurrency ?? settings.concurrency ?? prefetch,
    ack: options.ack ?? 'auto',
    batch,
    consumeArguments,
    rate: options.rate,
    breaker: options.breaker && breakerPlan(options.breaker, settings, name),
    paused: options.paused ?? false,
  };
}

function breakerPlan(
  { failures, of = failures, pause }: NonNullable<HandlerOptions['breaker']>,
  { consumerTimeout }: Settings,
  name: string,
): BreakerPlan {
  const refuse = (what: string, hint: string): never => {
    throw new ConfigError(`${name}: ${what}`, hint);
  };
  if (failures === undefined) refuse('breaker needs failures', "write { failures: 5, of: 10, pause: '30s' }");
  if (failures > of)
    refuse(`breaker: ${of} runs cannot have ${failures} failures`, 'raise of, or lower failures');
  const ms = milliseconds(pause ?? '30s', `${name} breaker.pause`);
  if (ms === 0) refuse('breaker.pause is 0', 'set how long to wait before the next probe');
  if (consumerTimeout > 0 && ms > consumerTimeout / 2) {
    refuse(
      `breaker.pause (${humanDuration(ms)}) holds messages for more than half of the time after which the broker takes them back (${humanDuration(consumerTimeout)})`,
      'lower pause, or raise consumer_timeout on the broker and set the connection option consumerTimeout to match',
    );
  }
  return { failures, of, pause: ms };
}

// Timestamps are marked as such for amqplib.
function streamOffset(offset: NonNullable<HandlerOptions['stream']>['offset']): unknown {
  return offset instanceof Date ? { '!': 'timestamp', value: Math.floor(offset.getTime() / 1_000) } : offset;
}
