// @RpcHandler: requests that are answered.

import type { RpcContract, SchemaInput, SchemaOutput, StandardSchema } from '@warren/amqp';
import { defineHandler, HANDLER_KEY, readArguments, type OptionsOrFactory } from './define-handler.js';
import type { HandlerOf, NoContract } from './handler-of.js';

/**
 * The method serves RPC requests; the queue is named after the pattern. Its return value (or that of its promise, or the
 * last value of an Observable or generator) is the reply; an error it throws reaches the caller as RpcRemoteError.
 *
 * ```ts
 * @RpcHandler('price.quote')
 * @RpcHandler(Quote)                      // a contract made by rpc(): checks first parameter and return value
 * @RpcHandler('price.quote', { timeout: '5s', concurrency: 4 })
 * ```
 */
export function RpcHandler(pattern: string, options?: OptionsOrFactory): MethodDecorator;
export function RpcHandler(options: NoContract<OptionsOrFactory>): MethodDecorator;
export function RpcHandler<
  Request extends StandardSchema | undefined,
  Response extends StandardSchema | undefined,
>(
  contract: RpcContract<Request, Response>,
  options?: OptionsOrFactory,
): HandlerOf<SchemaOutput<Request>, SchemaInput<Response>>;
export function RpcHandler(
  first: string | RpcContract | OptionsOrFactory,
  second?: OptionsOrFactory,
): MethodDecorator {
  return defineHandler({ kind: 'rpc', ...readArguments(first, second) });
}

/** Metadata key, for Reflector. */
RpcHandler.KEY = HANDLER_KEY;
