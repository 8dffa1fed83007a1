// What handlers of calls need of the broker, and what their options amount to.

import { CALLS_EXCHANGE, GATHER_EXCHANGE } from '../message/call-control.js';
import type { ExchangeSpec } from './specs.js';
import { milliseconds } from '../options/duration.js';
import { ConfigError } from '../errors/errors.js';
import { errorClasses } from '../errors/known-errors.js';
import type { ErrorClass, HandlerOptions, ReplyStore } from '../options/options.js';
import type { StandardSchema } from '../message/schema.js';

/** What one of them looks like; undefined for any other name. */
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
 * What an RPC handler's own options come to: which errors it shares with its callers, what its answers must
 * be, and what becomes of requests that come twice or whose callers are gone.
 */
export interface RpcPlan {
  /** Error classes that callers know, by name. */
  readonly known: ReadonlyMap<string, ErrorClass>;
  readonly response: StandardSchema | undefined;
  /** Whether callers that are gone are not worth running for. */
  readonly skipsGone: boolean;
  /** Every instance answers. */
  readonly broadcast: boolean;
  /** Where replies are kept; without a store, in a memory of their own. */
  readonly idempotent: { readonly ttl: number; readonly store: ReplyStore | undefined } | undefined;
}

/** Options that make sense for RPC handlers only. */
export const RPC_OPTIONS = ['errors', 'response', 'ifCallerGone', 'idempotent'] as const;

/** @throws ConfigError */
export function rpcPlan(options: HandlerOptions, name: string): RpcPlan {
  const { errors, response, ifCallerGone, broadcast, idempotent } = options;
  if (idempotent && idempotent.ttl === undefined) {
    throw new ConfigError(`${name}: idempotent needs a ttl`, "say how long replies are kept: { ttl: '10m' }");
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
