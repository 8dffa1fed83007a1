// Several handlers share one queue: which of them is a delivery for? Decided as the broker decides where
// to route, by exchange, routing key and headers; of several that match the most specific wins. A codec whose wire
// names the handler in the body has a say first.

import { matchesHeaders } from '../model/headers.js';
import { matchesRoutingKey, specificity } from '../model/routing-key.js';
import { ConfigError } from '../model/errors.js';
import { printable } from '../model/logger.js';
import { RabbitError } from '../model/errors.js';
import type { Codec } from '../model/codec.js';
import type { Delivery } from '../model/delivery.js';
import type { Verdict } from '../model/verdict.js';
import type { HandlerPlan, Route } from '../topology/handler-plan.js';
import { usesPatterns } from '../topology/schema.js';

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

/** Type of an exchange by its name, as far as the plan knows it. */
export type ExchangeTypes = (name: string) => string | undefined;

/** How many decisions are remembered. Routing keys may hold ids, so this is bounded. */
const REMEMBERED = 10_000;

/**
 * The choice among `handlers` of one queue. One alone gets everything, whatever bindings are left on the queue from
 * former versions. @throws ConfigError when two handlers would match exactly the same.
 */
export function dispatch(handlers: readonly HandlerPlan[], typeOf: ExchangeTypes): Dispatch {
  const byBody = handlers.some(({ codec }) => codec?.accepts !== undefined);
  if (handlers.length === 1 && !byBody) return () => 0;
  const candidates = handlers.flatMap((plan, handler) => candidatesOf(plan, handler, typeOf));
  refuseEqual(candidates, handlers);
  candidates.sort((one, other) => other.weight - one.weight);
  const byHeaders = candidates.some(({ route, type }) => route?.match !== undefined || type === 'headers');
  if (byHeaders || byBody) return (delivery) => choose(candidates, delivery);
  const known = new Map<string, number>();
  return (delivery) => {
    const id = `${delivery.exchange}\0${delivery.routingKey}`;
    let handler = known.get(id);
    if (handler === undefined) {
      handler = choose(candidates, delivery);
      if (known.size < REMEMBERED) known.set(id, handler);
    }
    return handler;
  };
}

/** Exchanges that every virtual host has. */
const BUILT_IN: Readonly<Record<string, string | undefined>> = {
  'amq.direct': 'direct',
  'amq.fanout': 'fanout',
  'amq.topic': 'topic',
  'amq.headers': 'headers',
  'amq.match': 'headers',
};

function candidatesOf(plan: HandlerPlan, handler: number, typeOf: ExchangeTypes): Candidate[] {
  const codec = plan.codec?.accepts && plan.codec;
  const named = codec ? 2_000_000 : 0;
  // Without bindings a handler takes what no other one wants.
  if (plan.routes.length === 0)
    return [{ route: undefined, type: undefined, handler, weight: named - 1_000_000, codec }];
  return plan.routes.map((route) => {
    const type = route.type ?? BUILT_IN[route.exchange] ?? typeOf(route.exchange);
    return { route, type, handler, weight: named + weightOf(route, type), codec };
  });
}

function weightOf(route: Route, type: string | undefined): number {
  if (route.match) {
    const count = Object.keys('all' in route.match ? route.match.all : route.match.any).length;
    return ('all' in route.match ? 100_000 : 50_000) + count;
  }
  if (type === 'fanout' || type === 'headers') return 0;
  if (takesAnyKey(route, type)) return -1_000;
  return usesPatterns(type) ? specificity(route.key) : 1_000_000;
}

function choose(candidates: readonly Candidate[], delivery: Delivery): number {
  return candidates.find((candidate) => matches(candidate, delivery))?.handler ?? -1;
}

function matches({ route, type, codec }: Candidate, delivery: Delivery): boolean {
  const { content, properties } = delivery.message;
  if (codec?.accepts && !codec.accepts(content, properties)) return false;
  if (!route) return true;
  if (route.exchange !== delivery.exchange) return false;
  if (route.match) return matchesHeaders(route.match, delivery.headers);
  if (type === 'fanout' || type === 'headers' || takesAnyKey(route, type)) return true;
  return usesPatterns(type)
    ? matchesRoutingKey(route.key, delivery.routingKey)
    : route.key === delivery.routingKey;
}

// Bound without a key to an exchange of unknown type: a fanout one, as far as anybody can tell.
function takesAnyKey(route: Route, type: string | undefined): boolean {
  return type === undefined && route.key === '';
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
        `${handlers[other].id} and ${handlers[handler].id} both want ${what} from queue '${handlers[handler].queue.name}'`,
        'give them different keys, or queues of their own',
      );
    }
    seen.set(id, handler);
  }
}

/** The verdict of a delivery that no handler of its queue wants. */
export function unmatched(
  delivery: Delivery,
  handlers: readonly string[],
): Verdict & { kind: 'dead-letter' } {
  const key = `'${printable(delivery.routingKey)}' of exchange '${printable(delivery.exchange)}'`;
  const error = new RabbitError(
    'WARREN_NO_HANDLER',
    `no handler of queue '${delivery.queue}' wants ${key}; there are ${handlers.join(', ')}`,
    '',
  );
  return { kind: 'dead-letter', reason: 'unmatched', error };
}
