// What the three handler decorators share: their mark, and the forms of their arguments.

import type { InjectionToken } from '@nestjs/common';
import { isContract, type Contract, type HandlerOptions } from '@warren/amqp';
import { markMethod } from './mark-method.js';

/** Options of a handler in Nest. */
export interface NestHandlerOptions extends HandlerOptions {
  /** Which connection it consumes from. Default: the default connection. */
  readonly connection?: string | undefined;
}

/** Finds a provider, for options that depend on configuration. */
export type Get = <T = unknown>(token: InjectionToken<T>) => T;

/** Creates options from providers when the application starts. */
export type OptionsFactory = NotOptions<(get: Get) => NestHandlerOptions>;

/** Options, or a function that creates them from providers when the application starts. */
export type OptionsOrFactory = NestHandlerOptions | OptionsFactory;

/** What may stand in the place of options, and has none: so the compiler suggests the nearest name for a wrong option. */
export type NotOptions<Other> = Other & {
  readonly [Name in Exclude<keyof NestHandlerOptions, keyof Other>]?: undefined;
};

/** One decorator on one method. */
export interface HandlerMark {
  readonly kind: 'consume' | 'subscribe' | 'rpc';
  readonly patterns: readonly string[];
  readonly options: OptionsOrFactory;
  /** What was given instead of patterns; its schemas win over those of the options, its errors are added. */
  readonly contract?: Contract | undefined;
}

/** Under this key the marks stand on the class and on the method. */
export const HANDLER_KEY = 'warren:handlers';

/** A decorator that adds a mark to its method. @throws ConfigError on anything but a method of instances */
export function defineHandler(mark: HandlerMark): MethodDecorator {
  return (target, name, descriptor: PropertyDescriptor | undefined) => {
    markMethod(HANDLER_KEY, mark, { target, name, method: descriptor?.value }, 'handle messages');
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
