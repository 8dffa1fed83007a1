// Works out a found handler's options: those that depend on providers are asked now, and the connection
// it names must exist.

import { ConfigError } from '@warren/amqp';
import type { HandlerOptions } from '@warren/amqp';
import type { Get } from '../decorators/define-handler.js';
import { DEFAULT_CONNECTION } from '../module-options.js';
import type { FoundHandler } from './handler-explorer.js';
import { origin } from './hosts.js';

/** A handler with its options. */
export interface PlannedHandler {
  readonly found: FoundHandler;
  /** Names it in logs and events: `OrderHandlers.place`. */
  readonly id: string;
  readonly connection: string;
  readonly options: HandlerOptions;
}

/** Options of all handlers. @throws ConfigError naming the handler */
export function planHandlers(
  found: readonly FoundHandler[],
  get: Get,
  connections: readonly string[],
): PlannedHandler[] {
  const planned = found.map((handler) => {
    const { id } = handler;
    const { connection = DEFAULT_CONNECTION, ...given } = resolve(handler, id, get);
    const options = { ...given, ...agreed(handler, id, given) };
    if (!connections.includes(connection)) {
      throw new ConfigError(
        `${id} uses the connection '${connection}', which is not configured`,
        `configured are ${connections.map((name) => `'${name}'`).join(', ')}; add RabbitModule.forRoot('${connection}', ...)`,
      );
    }
    return { found: handler, id, connection, options };
  });
  refuseSharedNames(planned);
  return planned;
}

// Without a queue of its own, @Subscribe names it after class and method.
function refuseSharedNames(planned: readonly PlannedHandler[]): void {
  const byName = planned.filter(({ found: { mark, namesakes }, options }) => {
    return namesakes.length > 0 && mark.kind === 'subscribe' && !options.queue && !options.broadcast;
  });
  for (const one of byName) {
    const other = byName.find(({ found, connection }) => {
      return (
        connection === one.connection &&
        one.found.namesakes.includes(found.host) &&
        found.method === one.found.method
      );
    });
    if (!other) continue;
    const name = `${one.found.host.className}.${one.found.method}`;
    throw new ConfigError(
      `two classes are called ${one.found.host.className}, one in ${origin(one.found.host)} and one in ${origin(other.found.host)}: ` +
        `both would get the queue '<service>.${name}', and each event would reach only one of them`,
      "set a queue for each, @Subscribe('...', { queue: 'billing.orders' }), or rename a class; a minifier must keep class names",
    );
  }
}

/** What a contract says about a handler, and of its parts that the contract leaves out, what the options say. */
function agreed(
  { mark: { contract, kind } }: FoundHandler,
  id: string,
  given: HandlerOptions,
): HandlerOptions {
  if (!contract) return {};
  const fitting = { consume: 'queue', subscribe: 'event', rpc: 'rpc' }[kind];
  if (contract.kind !== fitting) {
    throw new ConfigError(
      `${id} has a contract made by ${contract.kind}(), but its decorator takes one made by ${fitting}()`,
      'use queue() with @Consume, event() with @Subscribe, rpc() with @RpcHandler',
    );
  }
  if (contract.kind !== 'rpc') return { schema: contract.payload ?? given.schema };
  return {
    schema: contract.request ?? given.schema,
    response: contract.response ?? given.response,
    errors: contract.errors.concat(given.errors ?? []),
  };
}

function resolve({ mark }: FoundHandler, id: string, get: Get) {
  if (typeof mark.options !== 'function') return mark.options;
  try {
    return mark.options(get);
  } catch (error) {
    throw new ConfigError(`the options function of ${id} failed: ${(error as Error).message}`, '', error);
  }
}
