// What the three handler decorators share: they write down on the method what they were told, and
// nothing else. Several on one method add up. discovery/ is the only reader.

import type { InjectionToken } from '@nestjs/common';
import { ConfigError, isContract, type Contract, type HandlerOptions } from '@warren/amqp';

/** Options of a handler in Nest. */
export interface NestHandlerOptions extends HandlerOptions {
  /** Which connection it consumes from. Default: the default connection. */
  readonly connection?: string;
}

/** Finds a provider, for options that depend on configuration. */
export type Get = <T = unknown>(token: InjectionToken<T>) => T;

/** Options, or a function that makes them from providers when the application starts. */
export type OptionsOrFactory = NestHandlerOptions | ((get: Get) => NestHandlerOptions);

/** One decorator on one method. */
export interface HandlerMark {
  readonly kind: 'consume' | 'subscribe' | 'rpc';
  readonly patterns: readonly string[];
  readonly options: OptionsOrFactory;
  /** What was given instead of patterns; its schemas win over those of the options. */
  readonly contract?: Contract;
}

/** Under this key the marks stand on the method. */
export const HANDLER_KEY = 'warren:handlers';

// Nest's own mark for classes that messages enter by. Without it, request-scoped global guards of a plain
// provider would be skipped. Its name is the same in Nest 11 and 12; a test holds that.
export const ENTRY_PROVIDER_KEY = '__entryProvider__';

/** A decorator that adds a mark to its method. @throws ConfigError on anything but a method of instances */
export function defineHandler(mark: HandlerMark): MethodDecorator {
  return (target, name, descriptor: PropertyDescriptor | undefined) => {
    const method: unknown = descriptor?.value;
    if (typeof target === 'function' || typeof method !== 'function') {
      const host = typeof target === 'function' ? target.name : target.constructor.name;
      throw new ConfigError(
        `${host}.${String(name)} cannot handle messages`,
        'put the decorator on a method that is neither static nor an accessor',
      );
    }
    const marks = (Reflect.getOwnMetadata(HANDLER_KEY, method) ?? []) as HandlerMark[];
    // Decorators run from the last to the first; the list reads as written.
    Reflect.defineMetadata(HANDLER_KEY, [mark, ...marks], method);
    Reflect.defineMetadata(ENTRY_PROVIDER_KEY, true, target.constructor);
  };
}

/** The forms `(patterns)`, `(patterns, options)`, `(contract, options)`, `(options)` as one. */
export function readArguments(
  first: string | readonly string[] | Contract | OptionsOrFactory | undefined,
  second: OptionsOrFactory | undefined,
): Pick<HandlerMark, 'patterns' | 'options' | 'contract'> {
  if (typeof first === 'string') return { patterns: [first], options: second ?? {} };
  if (Array.isArray(first)) return { patterns: first as readonly string[], options: second ?? {} };
  if (isContract(first)) return { patterns: [patternOf(first)], options: second ?? {}, contract: first };
  return { patterns: [], options: (first as OptionsOrFactory | undefined) ?? second ?? {} };
}

function patternOf(contract: Contract): string {
  return contract.kind === 'queue' ? contract.name : contract.pattern;
}
