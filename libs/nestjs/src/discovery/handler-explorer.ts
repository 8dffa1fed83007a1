// Finds every provider and controller with handlers, in the whole application, and refuses what could not handle.

import type { ModulesContainer } from '@nestjs/core';
import { ConfigError } from '@warren/amqp';
import { HANDLER_KEY, type HandlerMark } from '../decorators/define-handler.js';
import { markedMethods, methodOf } from './handler-metadata.js';
import { distinct, hosts, moduleName, origin, type HandlerHost } from './hosts.js';

/** One decorator of one method of one host. */
export interface FoundHandler {
  readonly host: HandlerHost;
  readonly method: string;
  readonly mark: HandlerMark;
  /** The function that the decorator was put on. */
  readonly marked: object;
  /** Names the method in logs and events: `OrderHandlers.place`. No other method has it. */
  readonly id: string;
  /** Other classes of this name with a method of this name; then `id` says more. */
  readonly namesakes: readonly HandlerHost[];
}

/** All handlers of the application. @throws ConfigError when a class with handlers is provided twice, ... */
export function exploreHandlers(modules: ModulesContainer): FoundHandler[] {
  const withMarks = hosts(modules).filter((host) => markedMethods(host, HANDLER_KEY).length > 0);
  withMarks.forEach(refuseTransient);
  const found = distinct(withMarks, refuseTwice).flatMap((host) =>
    markedMethods<HandlerMark>(host, HANDLER_KEY).map((each) => ({ host, ...each })),
  );
  const named = new Map<string, HandlerHost[]>();
  for (const { host, method } of found) {
    const name = `${host.className}.${method}`;
    named.set(name, [...(named.get(name) ?? []), host]);
  }
  return found.flatMap(({ host, method, marks, marked }) => {
    const name = `${host.className}.${method}`;
    const owners = named.get(name) ?? [];
    const id = distinctName(name, host, owners);
    const namesakes = owners.filter((other) => other !== host);
    return marks.map((mark) => {
      const handler = { host, method, mark, marked, id, namesakes };
      refuseGenerator(handler);
      return handler;
    });
  });
}

/** `OrderHandlers.place`; among several of that name `OrderHandlers.place (BillingModule)`, numbered if need be. */
function distinctName(name: string, host: HandlerHost, owners: readonly HandlerHost[]): string {
  if (owners.length === 1) return name;
  const same = owners.filter((other) => moduleName(other) === moduleName(host));
  // Modules are in the order of their imports, which is the same in every process.
  return `${name} (${moduleName(host)}${same.length > 1 ? ` ${same.indexOf(host) + 1}` : ''})`;
}

// Nest makes a transient instance for each class that injects it; what stands in the container was never constructed.
function refuseTransient({ wrapper, className }: HandlerHost): void {
  if (!wrapper.isTransient) return;
  throw new ConfigError(
    `${className} has handlers and is transient: it has no single instance that could handle messages`,
    'remove its scope, or use Scope.REQUEST for an instance per message',
  );
}

function refuseTwice(one: HandlerHost, other: HandlerHost): void {
  throw new ConfigError(
    `${one.className} has handlers and is provided twice, by ${origin(one)} and ${origin(other)}: each would get only some of the messages`,
    'provide it in one module and import that module in the other',
  );
}

// Calling a generator runs none of its body.
function refuseGenerator({ host, method, marked, mark: { kind }, id }: FoundHandler): void {
  if (kind === 'rpc') return;
  const functions = [marked, methodOf(host.prototype, method, marked)];
  if (!functions.some((one) => /Generator/.test(Object.prototype.toString.call(one)))) return;
  throw new ConfigError(
    `${id} is a generator function, whose body would never run`,
    'make it an async function; only @RpcHandler can stream items',
  );
}
