// What the decorators for methods share: they write down what they were told, and nothing else. Several on one method
// add up. It stands on the class under the method's name, since a decorator above may put another function in the place
// of this one, and on the function, for Reflector. discovery/ is the only reader.

import { ConfigError } from '@warren/amqp';
import { demandModule } from './demand-module.js';

/** What decorators wrote about one method. */
export interface MarkedMethod<Mark> {
  readonly marks: readonly Mark[];
  /** The function that was there when they wrote. */
  readonly marked: object;
}

/** Under the same key as on functions: methods of a class, without inherited ones. */
export type MarkedMethods<Mark> = ReadonlyMap<string, MarkedMethod<Mark>>;

/** What a decorator was put on. */
export interface Target {
  readonly target: object;
  readonly name: string | symbol;
  readonly method: unknown;
}

/** Adds a mark to a method. @throws ConfigError `cannot` on anything but a method of instances with a name */
export function markMethod<Mark>(
  key: string,
  mark: Mark,
  { target, name, method }: Target,
  cannot: string,
): void {
  if (typeof target === 'function' || typeof method !== 'function') {
    const host = typeof target === 'function' ? target.name : target.constructor.name;
    throw new ConfigError(
      `${host}.${String(name)} cannot ${cannot}`,
      'put the decorator on a method that is neither static nor an accessor, nor a property with a function',
    );
  }
  if (typeof name === 'symbol') {
    throw new ConfigError(
      `${target.constructor.name}[${String(name)}] cannot ${cannot}: it has no name`,
      'give the method a name',
    );
  }
  demandModule(target);
  // Decorators run from the last to the first; the list reads as written.
  const known = Reflect.getOwnMetadata(key, target) as MarkedMethods<Mark> | undefined;
  const marks = [mark, ...(known?.get(name)?.marks ?? [])];
  Reflect.defineMetadata(key, new Map([...(known ?? []), [name, { marks, marked: method }]]), target);
  Reflect.defineMetadata(key, marks, method);
}
