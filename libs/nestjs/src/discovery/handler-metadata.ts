// Reads what the decorators of methods wrote: which methods of a class handle messages or hear events, and how. A
// method may have been replaced since, by a decorator above or by a subclass: it is what was marked all the same, with
// the guards, pipes and other metadata that were written on the function in its place before.

import { ConfigError } from '@warren/amqp';
import type { MarkedMethods } from '../decorators/mark-method.js';
import type { HandlerHost } from './hosts.js';

/** A method with its marks. */
export interface MarkedMethod<Mark> {
  readonly method: string;
  readonly marks: readonly Mark[];
  /** The function that the decorators were put on. */
  readonly marked: object;
}

/** A method as Nest takes it. */
export type Method = (...args: unknown[]) => never;

/**
 * The methods of a class with marks under a key, inherited and overridden ones included.
 *
 * @throws ConfigError when one of them is no method any more
 */
export function markedMethods<Mark>(
  { prototype, className }: HandlerHost,
  key: string,
): MarkedMethod<Mark>[] {
  const found = new Map<string, MarkedMethod<Mark>>();
  for (let owner: object | null = prototype; owner; owner = Object.getPrototypeOf(owner) as object | null) {
    for (const each of ownMarks<Mark>(owner, key)) {
      if (!found.has(each.method)) found.set(each.method, each);
    }
  }
  for (const { method, marked } of found.values()) {
    if (typeof methodOf(prototype, method, marked) === 'function') continue;
    throw new ConfigError(
      `${className}.${method} was decorated as a method and is no longer one`,
      'another decorator or a subclass replaced it',
    );
  }
  return [...found.values()];
}

function ownMarks<Mark>(owner: object, key: string): MarkedMethod<Mark>[] {
  const known = (Reflect.getOwnMetadata(key, owner) ?? new Map()) as MarkedMethods<Mark>;
  const marks = [...known].map(([method, found]) => ({ method, ...found }));
  // Methods that were copied from another class, as mixins do it, bring their marks with them.
  for (const [method, { value }] of Object.entries(Object.getOwnPropertyDescriptors(owner))) {
    if (typeof value !== 'function' || method === 'constructor' || known.has(method)) continue;
    const copied = Reflect.getOwnMetadata(key, value as object) as Mark[] | undefined;
    if (copied) marks.push({ method, marks: copied, marked: value as object });
  }
  return marks;
}

/** The method of an instance or a prototype, with the metadata that was written on the function in its place before. */
export function methodOf(instance: unknown, method: string, marked: object): Method {
  const present = (instance as Record<string, Method>)[method];
  if (present !== marked && typeof present === 'function') adopt(present, marked);
  return present;
}

// Without this, a guard below a decorator that wraps the method would not run: an open door.
function adopt(present: object, marked: object): void {
  for (const key of Reflect.getOwnMetadataKeys(marked) as (string | symbol)[]) {
    if (Reflect.hasOwnMetadata(key, present)) continue;
    Reflect.defineMetadata(key, Reflect.getOwnMetadata(key, marked), present);
  }
}
