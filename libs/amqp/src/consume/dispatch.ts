// Several handlers share one queue: which of them is a delivery for? Decided as the broker decides where
// to route, by exchange, routing key and headers; of several that match the most specific wins. A codec whose wire
// names the handler in the body has a say first.

import { afterFailure } from '../options/retry-policy.js';
import { describeError, printable } from '../runtime/logger.js';
import type { Delivery, Verdict } from '../message/delivery.js';
import type { BatchNext } from '../plugins/plugin.js';
import { batchPipeline } from './batch.js';
import { pipeline } from './pipeline.js';
import type { HandlerContext, Run } from './step.js';
import { ConfigError, RabbitError } from '../errors/errors.js';
import { sameOrder } from '../options/order-by.js';
import type { HandlerPlan, Route } from '../topology/handler-plan.js';
import { matchesHeaders, RETURN_EXCHANGE } from '../message/headers.js';
import { matchesRoutingKey, specificity } from '../message/routing-key.js';
import type { Codec } from '../message/codecs/codec.js';
import { usesPatterns, type BindingSpec, type ExchangeSpec } from '../topology/specs.js';
import { aboutMessage } from '../message/delivery.js';

/** Maximum number of unmatched routing keys to log. */
const NAMED = 100;

/**
 * The handlers of one queue: which of them a delivery is for, and what comes of it. Batches go to the one
 * handler there is.
 */
export class Handlers {
  private readonly runs: readonly Run[];
  private readonly batch: BatchNext;
  private readonly unwanted = new Set<string>();

  constructor(
    private readonly contexts: readonly HandlerContext[],
    private readonly dispatch: Dispatch,
  ) {
    this.runs = contexts.map(pipeline);
    this.batch = batchPipeline(contexts[0]);
  }

  /** Runs the batch handler. The verdicts are in the order of the list. */
  async runBatch(list: readonly Delivery[]): Promise<readonly Verdict[]> {
    const wanted = list.filter((delivery) => this.runOf(delivery) !== this.nobodys);
    const handled = new Map<Delivery, Verdict>();
    const verdicts = wanted.length > 0 ? await this.batch(wanted) : [];
    wanted.forEach((delivery, index) => handled.set(delivery, verdicts[index]));
    return list.map((delivery) => handled.get(delivery) ?? this.nobodys(delivery));
  }

  /** Says whose a delivery is; returns what runs it: the pipeline of its handler, or that nobody wants it. */
  runOf(delivery: Delivery): Run {
    const place = this.dispatch(delivery);
    delivery.run.handler = place;
    delivery.handler = place < 0 ? `queue '${delivery.queue}'` : this.contexts[place].plan.id;
    return place < 0 ? this.nobodys : this.runs[place];
  }

  /** What a handler's own decision comes to. */
  decided(delivery: Delivery, decision: Verdict | Error): Verdict {
    const { retry } = (this.contextOf(delivery) ?? this.contexts[0]).plan;
    return decision instanceof Error ? afterFailure(retry, delivery.attempt, decision) : decision;
  }

  /** The dead-letter queue of a delivery. Without a handler, any dead-letter queue of the others will do. */
  deadQueueOf(delivery: Delivery): string | undefined {
    const context = this.contextOf(delivery) ?? this.contexts.find(({ plan }) => plan.deadQueue);
    return context?.plan.deadQueue;
  }

  /** The plan of the handler of a delivery; undefined when nobody wants it. */
  planOf(delivery: Delivery): HandlerPlan | undefined {
    return this.contextOf(delivery)?.plan;
  }

  // By its place: handlers of one queue may have the same name.
  private contextOf(delivery: Delivery): HandlerContext | undefined {
    return this.contexts[delivery.run.handler];
  }

  private readonly nobodys = (delivery: Delivery): Verdict => {
    const { events } = this.contexts[0];
    const { handler, queue } = delivery;
    const ids = [...new Set(this.contexts.map(({ plan }) => plan.id))];
    const verdict = unmatched(delivery, ids);
    this.say(delivery, describeError(verdict.error));
    events.emit({ kind: 'handled', handler, queue, delivery, verdict, ms: 0 });
    // A caller of an unknown handler should not have to wait for its timeout.
    const answering = this.contexts.find(({ plan }) => plan.rpc);
    if (answering && delivery.message.properties.replyTo) {
      answering.rpc?.reject(answering, delivery, unmatchedCall(delivery));
    }
    return verdict;
  };

  // A binding that was left behind brings messages for ever: each kind is named once.
  private say(delivery: Delivery, error: string): void {
    const { logger } = this.contexts[0];
    const kind = `${delivery.exchange}\0${delivery.routingKey}`;
    if (this.unwanted.has(kind) || this.unwanted.size > NAMED) return;
    this.unwanted.add(kind);
    if (this.unwanted.size > NAMED) {
      logger.error(
        `queue '${delivery.queue}' keeps receiving messages that match no handler; further routing keys are not logged (rabbitmqctl list_bindings shows the bindings)`,
        { event: 'unmatched', queue: delivery.queue },
      );
      return;
    }
    const dead = this.deadQueueOf(delivery);
    const end = dead
      ? `is dead-lettered to '${dead}' (unmatched)`
      : 'is dropped, because there is no dead-letter queue';
    logger.error(`${error}; it ${end}, like all others with this routing key`, {
      event: 'unmatched',
      ...aboutMessage(delivery),
      deadLetterQueue: dead,
    });
  }
}

// Handlers of one queue share one consumer, so options of the consumer must be the same for all of them, or
// be set by one alone.

/** Handlers by queue. @throws ConfigError naming the two that disagree. */
export function groupByQueue(plans: readonly HandlerPlan[]): readonly (readonly HandlerPlan[])[] {
  const groups = new Map<string, HandlerPlan[]>();
  for (const plan of plans) {
    const group = groups.get(plan.queue.name);
    if (group) group.push(plan);
    else groups.set(plan.queue.name, [plan]);
  }
  for (const group of groups.values()) checkGroup(group);
  return [...groups.values()];
}

/** What counts for a consumer, and so for all its handlers. */
const SHARED = ['prefetch', 'concurrency', 'ack', 'consumeArguments', 'rate', 'breaker', 'paused'] as const;

function checkGroup(group: readonly HandlerPlan[]): void {
  const [first, ...others] = group;
  for (const other of others) {
    const refuse = (what: string): never => {
      throw new ConfigError(
        `${first.id} and ${other.id} share queue '${first.queue.name}' but ${what}`,
        'give both the same options, or give each its own queue',
      );
    };
    // Where bodies name their handler, events and requests may come by the same queue, as Nest's own transport does it.
    const named = [first, other].every(({ codec }) => codec?.accepts !== undefined);
    if (!named && (first.registration.kind === 'rpc') !== (other.registration.kind === 'rpc'))
      refuse('one replies to callers and the other does not');
    if (first.batch || other.batch) refuse('a batch handler cannot share its queue');
    if (!sameOrder(first.registration.options.orderBy, other.registration.options.orderBy))
      refuse('orderBy differs');
    for (const option of SHARED) {
      const [one, two] = [JSON.stringify(first[option]), JSON.stringify(other[option])];
      if (one !== two) refuse(`${option} is ${one} for the first and ${two} for the second`);
    }
  }
}

/** The index of the handler for a delivery, or -1. */
export type Dispatch = (delivery: Delivery) => number;

interface Candidate {
  readonly route: Route | undefined;
  readonly type: string | undefined;
  readonly handler: number;
  readonly weight: number;
  /** Only if its body decides. */
  readonly codec: Codec | undefined;
}

/** What the plan knows about exchanges. */
export interface ExchangesKnown {
  /** Type of an exchange by its name, as far as the plan says it. */
  readonly typeOf: (name: string) => string | undefined;
  /** All bindings, also those of no handler. */
  readonly bindings: readonly BindingSpec[];
  readonly exchanges: readonly ExchangeSpec[];
}

/** How many decisions are remembered. Routing keys may hold ids, so this is bounded. */
const REMEMBERED = 10_000;

/** What was sent to the queue by its name. */
const SENT: Route = { exchange: '', type: 'fanout', key: '', match: undefined };

/**
 * The choice among `handlers` of one queue. One alone gets what fits its bindings or was sent to its queue by name, not
 * what bindings bring that a former version left there; without bindings it gets everything. @throws ConfigError when
 * two handlers would match exactly the same.
 */
export function dispatch(handlers: readonly HandlerPlan[], known: ExchangesKnown): Dispatch {
  const byBody = handlers.some(({ codec }) => codec?.accepts !== undefined);
  const [{ queue, id, routes }] = handlers;
  // Several decorators on one method are one handler.
  const isAlone = handlers.every((other) => other.id === id);
  if (!byBody && isAlone && (queue.temporary || (handlers.length === 1 && routes.length === 0)))
    return () => 0;
  const candidates = handlers.flatMap((plan, handler) => candidatesOf(plan, handler, known));
  if (isAlone && routes.length > 0) {
    const more = { ...handlers[0], routes: [SENT, ...furtherRoutes(handlers, known)] };
    candidates.push(...candidatesOf(more, 0, known));
  }
  refuseEqual(candidates, handlers);
  candidates.sort((one, other) => other.weight - one.weight);
  const feeders = feedersOf(known);
  const byHeaders = [
    ...candidates.map(({ route, type }) => ({ ...route, type })),
    ...[...feeders.values()].flat(),
  ].some(({ match, type }) => match !== undefined || type === 'headers');
  const choose = (delivery: Delivery): number =>
    candidates.find((candidate) => matches(candidate, delivery, feeders))?.handler ?? -1;
  if (byHeaders || byBody) return choose;
  const remembered = new Remembered(REMEMBERED);
  return (delivery) => remembered.get(`${delivery.exchange}\0${delivery.routingKey}`, delivery, choose);
}

/** Earlier decisions, up to a maximum number. */
export class Remembered {
  private readonly known = new Map<string, number>();

  constructor(private readonly limit: number) {}

  get size(): number {
    return this.known.size;
  }

  get(id: string, delivery: Delivery, choose: Dispatch): number {
    const before = this.known.get(id);
    if (before !== undefined) return before;
    const handler = choose(delivery);
    if (this.known.size < this.limit) this.known.set(id, handler);
    return handler;
  }
}

/** Bindings of the queue that were declared separately from its handlers. */
function furtherRoutes(handlers: readonly HandlerPlan[], { bindings }: ExchangesKnown): Route[] {
  const named = ({ exchange, key, match }: Route): string => JSON.stringify([exchange, key, match]);
  const own = new Set(handlers.flatMap(({ routes }) => routes.map(named)));
  return bindings
    .filter(({ destination: { kind, name }, source }) => {
      return kind === 'queue' && name === handlers[0].queue.name && source !== RETURN_EXCHANGE;
    })
    .map(routeOf)
    .filter((route) => !own.has(named(route)));
}

/** A way from one exchange to another; without a route everything goes it. */
type Feeder = Route;

/** What comes to an exchange from others: a message keeps the name of the one that it was published to. */
function feedersOf({ bindings, exchanges, typeOf }: ExchangesKnown): ReadonlyMap<string, readonly Feeder[]> {
  const feeders = new Map<string, Feeder[]>();
  const add = (to: string, feeder: Feeder): void =>
    void feeders.set(to, [...(feeders.get(to) ?? []), feeder]);
  for (const binding of bindings) {
    if (binding.destination.kind === 'queue') continue;
    const route = routeOf(binding);
    add(binding.destination.name, { ...route, type: typeIn(route, typeOf) });
  }
  for (const exchange of exchanges) {
    const alternate = exchange.arguments['alternate-exchange'];
    if (typeof alternate === 'string') add(alternate, { ...SENT, exchange: exchange.name });
  }
  return feeders;
}

function routeOf({ source, key, arguments: args }: BindingSpec): Route {
  const { 'x-match': mode, ...headers } = args;
  const match = mode === undefined ? undefined : mode === 'any' ? { any: headers } : { all: headers };
  return { exchange: source, type: undefined, key, match };
}

/** Exchanges that every virtual host has. */
const BUILT_IN: Readonly<Record<string, string | undefined>> = {
  'amq.direct': 'direct',
  'amq.fanout': 'fanout',
  'amq.topic': 'topic',
  'amq.headers': 'headers',
  'amq.match': 'headers',
};

function candidatesOf(plan: HandlerPlan, handler: number, { typeOf }: ExchangesKnown): Candidate[] {
  const codec = plan.codec?.accepts && plan.codec;
  const named = codec ? 2_000_000 : 0;
  // Without bindings a handler takes what no other one wants.
  if (plan.routes.length === 0)
    return [{ route: undefined, type: undefined, handler, weight: named - 1_000_000, codec }];
  return plan.routes.map((route) => {
    const type = typeIn(route, typeOf);
    return { route, type, handler, weight: named + weightOf(route, type), codec };
  });
}

function typeIn({ type, exchange }: Route, typeOf: ExchangesKnown['typeOf']): string | undefined {
  // That one delays what an exchange of another type would route; the plan knows which.
  return type === undefined || type === 'x-delayed-message' ? (BUILT_IN[exchange] ?? typeOf(exchange)) : type;
}

function weightOf(route: Route, type: string | undefined): number {
  if (route.match) {
    const count = Object.keys('all' in route.match ? route.match.all : route.match.any).length;
    return ('all' in route.match ? 100_000 : 50_000) + count;
  }
  if (type === 'headers') return 0;
  if (takesAnyKey(route, type)) return type === undefined ? -1_000 : 0;
  return usesPatterns(type) ? specificity(route.key) : 1_000_000;
}

function matches({ route, type, codec }: Candidate, delivery: Delivery, feeders: Feeders): boolean {
  const { content, properties } = delivery.message;
  if (codec?.accepts && !codec.accepts(content, properties)) return false;
  if (!route) return true;
  return reaches(route.exchange, delivery, feeders) && fits(route, type, delivery);
}

type Feeders = ReadonlyMap<string, readonly Feeder[]>;

/** Whether a message reached an exchange: it was published there, or to one that is bound to it. */
function reaches(
  exchange: string,
  delivery: Delivery,
  feeders: Feeders,
  seen: readonly string[] = [],
): boolean {
  if (exchange === delivery.exchange) return true;
  if (seen.includes(exchange)) return false;
  const on = feeders.get(exchange) ?? [];
  return on.some(
    (feeder) =>
      fits(feeder, feeder.type, delivery) && reaches(feeder.exchange, delivery, feeders, [...seen, exchange]),
  );
}

function fits(route: Route, type: string | undefined, { headers, routingKey }: Delivery): boolean {
  if (route.match) return matchesHeaders(route.match, headers);
  if (type === 'headers' || takesAnyKey(route, type)) return true;
  return usesPatterns(type) ? matchesRoutingKey(route.key, routingKey) : route.key === routingKey;
}

// Bound without a key to an exchange of unknown type: a fanout one, as far as anybody can tell. And what keys mean to
// the exchanges of plugins (a weight, for one that hashes) only they know.
function takesAnyKey(route: Route, type: string | undefined): boolean {
  if (type === undefined) return route.key === '';
  return type !== 'direct' && type !== 'topic' && type !== 'headers';
}

function refuseEqual(candidates: readonly Candidate[], handlers: readonly HandlerPlan[]): void {
  const seen = new Map<string, number>();
  for (const { route, type, handler, codec } of candidates) {
    // A fanout exchange does not look at keys, nor does one that matches headers.
    const key = type === 'fanout' || route?.match ? '' : route?.key;
    const id = JSON.stringify([codec?.name, ...(route ? [route.exchange, key, route.match] : [])]);
    const other = seen.get(id);
    if (other !== undefined && other !== handler) {
      const what = route ? `'${route.key}' of exchange '${route.exchange}'` : 'every message';
      throw new ConfigError(
        `${handlers[other].id} and ${handlers[handler].id} both handle ${what} from queue '${handlers[handler].queue.name}'`,
        'give them different keys, or give each its own queue',
      );
    }
    seen.set(id, handler);
  }
}

const UNBIND =
  'if an earlier version left the binding behind, find it with rabbitmqctl list_bindings and remove it in the management ' +
  'UI; if the message is expected, declare its binding in the handler or in forFeature()';

/** What its caller is told: which handlers there are is not its business. */
export function unmatchedCall({ queue, routingKey }: Delivery): Error {
  return new RabbitError(
    'WARREN_NO_HANDLER',
    `no handler of queue '${queue}' matches '${printable(routingKey)}'`,
    'check the routing key; the log of the service lists its handlers',
  );
}

/** The verdict of a delivery that no handler of its queue wants. */
export function unmatched(
  delivery: Delivery,
  handlers: readonly string[],
): Verdict & { kind: 'dead-letter' } {
  const from =
    delivery.exchange === '' ? 'the default exchange' : `exchange '${printable(delivery.exchange)}'`;
  const key = `'${printable(delivery.routingKey)}' of ${from}`;
  const error = new RabbitError(
    'WARREN_NO_HANDLER',
    `no handler of queue '${delivery.queue}' matches ${key}; its handlers are ${handlers.join(', ')}`,
    UNBIND,
  );
  return { kind: 'dead-letter', reason: 'unmatched', error };
}
