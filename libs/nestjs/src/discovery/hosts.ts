// Every class of the application that Nest makes instances of, and where in its module it stands.

import type { ModulesContainer } from '@nestjs/core';

type NestModule = ModulesContainer extends Map<string, infer M> ? M : never;
type Wrapper = NestModule['providers'] extends Map<unknown, infer W> ? W : never;

/** A provider or controller. */
export interface HandlerHost {
  readonly wrapper: Wrapper;
  readonly module: NestModule;
  /** Where its injectables and per-request instances live. */
  readonly collection: Map<unknown, Wrapper>;
  readonly className: string;
  readonly prototype: object;
}

/** All providers and controllers that are objects with a class. */
export function hosts(modules: ModulesContainer): HandlerHost[] {
  return [...modules.values()].flatMap((module) =>
    ([module.controllers, module.providers] as Map<unknown, Wrapper>[]).flatMap((collection) =>
      [...collection.values()].flatMap((wrapper) => hostOf(wrapper, module, collection) ?? []),
    ),
  );
}

/** The module of a host, for messages. */
export function moduleName({ module }: HandlerHost): string {
  return module.metatype?.name ?? 'a module';
}

/**
 * Of several that are the same object under different tokens one, the one that Nest made from its class, since only
 * that has its guards by class. `differ` is told of two objects of one class.
 */
export function distinct(
  all: readonly HandlerHost[],
  differ: (one: HandlerHost, other: HandlerHost) => void,
): HandlerHost[] {
  const known = new Map<object, HandlerHost>();
  for (const host of all) {
    const other = known.get(host.prototype);
    if (other && !isSame(other, host)) differ(other, host);
    if (!other || isOfClass(host)) known.set(host.prototype, host);
  }
  return [...known.values()];
}

function isSame({ wrapper: one }: HandlerHost, { wrapper: other }: HandlerHost): boolean {
  const isOne = one.isDependencyTreeStatic() && !one.isTransient;
  return isOne && one.instance !== undefined && one.instance === other.instance;
}

function isOfClass({ wrapper, prototype }: HandlerHost): boolean {
  return (wrapper.metatype as { prototype?: unknown } | null)?.prototype === prototype;
}

/** Where a host comes from, for messages: its module, and its token when that is not its class. */
export function origin(host: HandlerHost): string {
  const { token } = host.wrapper;
  const named = typeof token === 'function' ? undefined : String(token);
  return named === undefined ? moduleName(host) : `${moduleName(host)} (as ${named})`;
}

function hostOf(
  wrapper: Wrapper,
  module: NestModule,
  collection: Map<unknown, Wrapper>,
): HandlerHost | undefined {
  if (wrapper.isAlias) return undefined;
  const prototype = prototypeOf(wrapper);
  // A value may have any prototype, one without a class too.
  if (!prototype || prototype === Object.prototype || typeof prototype.constructor !== 'function')
    return undefined;
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
