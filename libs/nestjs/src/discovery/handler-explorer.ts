// Finds every provider and controller with handlers, in the whole application.

import type { ModulesContainer } from '@nestjs/core';
import { MetadataScanner } from '@nestjs/core';
import { ConfigError } from '@warren/amqp';
import { HANDLER_KEY, type HandlerMark } from '../decorators/define-handler.js';
import { markedMethods } from './handler-metadata.js';
import { hosts, moduleName, type HandlerHost } from './hosts.js';

/** One decorator of one method of one host. */
export interface FoundHandler {
  readonly host: HandlerHost;
  readonly method: string;
  readonly mark: HandlerMark;
}

/** All handlers of the application. @throws ConfigError when a class with handlers is provided twice. */
export function exploreHandlers(modules: ModulesContainer): FoundHandler[] {
  const scanner = new MetadataScanner();
  const seen = new Map<unknown, string>();
  const found: FoundHandler[] = [];
  for (const host of hosts(modules)) {
    const methods = markedMethods<HandlerMark>(scanner, host.prototype, HANDLER_KEY);
    if (methods.length === 0) continue;
    refuseTransient(host);
    refuseTwice(seen, host);
    found.push(...methods.flatMap(({ method, marks }) => marks.map((mark) => ({ host, method, mark }))));
  }
  return found;
}

// Nest makes a transient instance for each class that injects it; what stands in the container was never constructed.
function refuseTransient({ wrapper, className }: HandlerHost): void {
  if (!wrapper.isTransient) return;
  throw new ConfigError(
    `${className} has handlers and is transient: there is no instance of it that could handle messages`,
    'leave its scope out, or make it Scope.REQUEST for an instance per message',
  );
}

function refuseTwice(seen: Map<unknown, string>, host: HandlerHost): void {
  const { prototype, className } = host;
  const name = moduleName(host);
  const other = seen.get(prototype);
  if (other !== undefined) {
    throw new ConfigError(
      `${className} has handlers and is provided twice, by ${other} and ${name}: either would get only some of the messages`,
      'provide it in one module and import that module in the other',
    );
  }
  seen.set(prototype, name);
}
