// Finds every provider and controller with handlers, in the whole application.

import type { ModulesContainer } from '@nestjs/core';
import { MetadataScanner } from '@nestjs/core';
import { ConfigError } from '@warren/amqp';
import type { HandlerMark } from '../decorators/define-handler.js';
import { markedMethods } from './handler-metadata.js';

type NestModule = ModulesContainer extends Map<string, infer M> ? M : never;
type Wrapper = NestModule['providers'] extends Map<unknown, infer W> ? W : never;

/** A provider or controller that has handlers. */
export interface HandlerHost {
  readonly wrapper: Wrapper;
  readonly module: NestModule;
  /** Where its injectables and per-request instances live. */
  readonly collection: Map<unknown, Wrapper>;
  readonly className: string;
  readonly prototype: object;
}

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
  for (const module of modules.values()) {
    for (const collection of [module.controllers, module.providers] as Map<unknown, Wrapper>[]) {
      for (const wrapper of collection.values()) {
        const host = hostOf(wrapper, module, collection);
        const methods = host ? markedMethods(scanner, host.prototype) : [];
        if (!host || methods.length === 0) continue;
        refuseTransient(host);
        refuseTwice(seen, host);
        found.push(...methods.flatMap(({ method, marks }) => marks.map((mark) => ({ host, method, mark }))));
      }
    }
  }
  return found;
}

function hostOf(
  wrapper: Wrapper,
  module: NestModule,
  collection: Map<unknown, Wrapper>,
): HandlerHost | undefined {
  if (wrapper.isAlias) return undefined;
  const prototype = prototypeOf(wrapper);
  if (!prototype || prototype === Object.prototype) return undefined;
  return { wrapper, module, collection, className: prototype.constructor.name, prototype };
}

// A factory's metatype is the factory, so its class is only known from what it made.
function prototypeOf(wrapper: Wrapper): object | undefined {
  const { metatype, instance } = wrapper as { metatype: unknown; instance: unknown };
  const isClass = typeof metatype === 'function' && !wrapper.inject;
  if (isClass && (metatype as { prototype?: object }).prototype)
    return (metatype as { prototype: object }).prototype;
  return typeof instance === 'object' && instance !== null
    ? (Object.getPrototypeOf(instance) as object)
    : undefined;
}

// Nest makes a transient instance for each class that injects it; what stands in the container was never constructed.
function refuseTransient({ wrapper, className }: HandlerHost): void {
  if (!wrapper.isTransient) return;
  throw new ConfigError(
    `${className} has handlers and is transient: there is no instance of it that could handle messages`,
    'leave its scope out, or make it Scope.REQUEST for an instance per message',
  );
}

function refuseTwice(seen: Map<unknown, string>, { prototype, module, className }: HandlerHost): void {
  const name = module.metatype?.name ?? 'a module';
  const other = seen.get(prototype);
  if (other !== undefined) {
    throw new ConfigError(
      `${className} has handlers and is provided twice, by ${other} and ${name}: either would get only some of the messages`,
      'provide it in one module and import that module in the other',
    );
  }
  seen.set(prototype, name);
}
