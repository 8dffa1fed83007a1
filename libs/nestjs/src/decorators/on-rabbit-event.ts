// @OnRabbitEvent: what happens inside, told to a method. Like the handler decorators it only writes down
// what it was told.

import { BROKER_EVENT_KINDS, ConfigError, type BrokerEventKind, type BrokerEventOf } from '@warren/amqp';
import { markMethod } from './mark-method.js';

/** Options of `@OnRabbitEvent`. */
export interface RabbitEventOptions {
  /** Which connection it listens to. Default: the default connection. */
  readonly connection?: string | undefined;
}

/** A decorator for methods whose first parameter, if they have one, takes the event. */
export type RabbitEventListener<K extends BrokerEventKind | '*'> = <
  Method extends (event: BrokerEventOf<K>) => unknown,
>(
  target: object,
  name: string | symbol,
  descriptor: TypedPropertyDescriptor<Method>,
) => void;

/** One decorator on one method. */
export interface ListenerMark {
  readonly kinds: readonly (BrokerEventKind | '*')[];
  readonly connection: string | undefined;
}

/** Under this key the marks stand on the class and on the method. */
export const LISTENER_KEY = 'warren:listeners';

/**
 * The method of a provider or controller receives events of a connection: one kind, several, or `'*'` for all. Errors
 * that it throws are only logged; nothing waits for it. It listens from before the connection opens, so it receives the
 * first `connected`, until the connection is closed. Guards, pipes, interceptors and filters do not apply.
 *
 * ```ts
 * @OnRabbitEvent('disconnected')
 * @OnRabbitEvent(['consumer-lost', 'consumer-failed'], { connection: 'audit' })
 * ```
 *
 * @throws ConfigError for a kind that does not exist, and at boot for a class without one instance (request-scoped, transient)
 */
export function OnRabbitEvent<const K extends BrokerEventKind | '*'>(
  kind: K | readonly K[],
  options: RabbitEventOptions = {},
): RabbitEventListener<K> {
  const kinds = typeof kind === 'string' ? [kind] : kind;
  for (const one of kinds) {
    if (one === '*' || BROKER_EVENT_KINDS.includes(one)) continue;
    const known = `the events are ${BROKER_EVENT_KINDS.join(', ')}, and '*' for all`;
    throw new ConfigError(`@OnRabbitEvent: there is no event '${String(one)}'`, known);
  }
  return (target, name, descriptor) => {
    const mark: ListenerMark = { kinds, connection: options.connection };
    markMethod(LISTENER_KEY, mark, { target, name, method: descriptor?.value }, 'hear events');
  };
}

OnRabbitEvent.KEY = LISTENER_KEY;
