// @RpcHandler: requests that are answered.

import { defineHandler, HANDLER_KEY, readArguments, type OptionsOrFactory } from './define-handler.js';

/**
 * The method answers requests; the queue is the pattern itself. What it returns (also a promise, or the last value of
 * an Observable) is the answer; what it throws reaches the caller as RpcRemoteError.
 *
 * ```ts
 * @RpcHandler('price.quote')
 * @RpcHandler('price.quote', { timeout: '5s', concurrency: 4 })
 * ```
 */
export function RpcHandler(pattern: string, options?: OptionsOrFactory): MethodDecorator;
export function RpcHandler(options: OptionsOrFactory): MethodDecorator;
export function RpcHandler(first: string | OptionsOrFactory, second?: OptionsOrFactory): MethodDecorator {
  return defineHandler({ kind: 'rpc', ...readArguments(first, second) });
}

/** Metadata key, for Reflector. */
RpcHandler.KEY = HANDLER_KEY;
