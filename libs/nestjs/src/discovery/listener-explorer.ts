// Finds the methods that hear events, in the whole application, and refuses those that could not.

import type { ModulesContainer } from '@nestjs/core';
import { ConfigError } from '@warren/amqp';
import { LISTENER_KEY, type ListenerMark } from '../decorators/on-rabbit-event.js';
import { DEFAULT_CONNECTION } from '../module-options.js';
import { markedMethods } from './handler-metadata.js';
import { distinct, hosts, origin, type HandlerHost } from './hosts.js';

/** One decorator of one method, with the object it is a method of. */
export interface FoundListener {
  /** `Metrics.onLost` */
  readonly id: string;
  readonly connection: string;
  readonly kinds: ListenerMark['kinds'];
  readonly instance: Readonly<Record<string, (event: unknown) => unknown>>;
  readonly method: string;
}

/** All listeners. @throws ConfigError naming the class that has no instance to tell, or the connection that is not there */
export function exploreListeners(modules: ModulesContainer, connections: readonly string[]): FoundListener[] {
  const withMarks = hosts(modules).filter((host) => markedMethods(host, LISTENER_KEY).length > 0);
  withMarks.forEach(refuseWithoutInstance);
  return distinct(withMarks, refuseTwice).flatMap((host) =>
    markedMethods<ListenerMark>(host, LISTENER_KEY).flatMap(({ method, marks }) =>
      marks.map(({ kinds, connection = DEFAULT_CONNECTION }) => {
        const id = `${host.className}.${method}`;
        refuseUnknown(id, connection, connections);
        const instance = host.wrapper.instance as FoundListener['instance'];
        return { id, connection, kinds, method, instance };
      }),
    ),
  );
}

function refuseWithoutInstance({ wrapper, className }: HandlerHost): void {
  if (!wrapper.isTransient && wrapper.isDependencyTreeStatic()) return;
  throw new ConfigError(
    `${className} has @OnRabbitEvent and is ${wrapper.isTransient ? 'transient' : 'request-scoped'}: it has no single instance to call`,
    'events do not belong to a request; move the method to a class with the default scope that injects nothing request-scoped',
  );
}

function refuseTwice(one: HandlerHost, other: HandlerHost): void {
  throw new ConfigError(
    `${one.className} has @OnRabbitEvent and is provided twice, by ${origin(one)} and ${origin(other)}: each event would be handled twice`,
    'provide it in one module and import that module in the other',
  );
}

function refuseUnknown(id: string, connection: string, connections: readonly string[]): void {
  if (connections.includes(connection)) return;
  throw new ConfigError(
    `${id} listens to the connection '${connection}', which is not configured`,
    `configured are ${connections.map((name) => `'${name}'`).join(', ')}; add RabbitModule.forRoot('${connection}', ...)`,
  );
}
