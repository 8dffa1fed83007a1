// @RpcHandler: requests that are answered.

import type { RpcContract, SchemaInput, SchemaOutput } from '@warren/amqp';
import {
  defineHandler,
  HANDLER_KEY,
  readArguments,
  type NotOptions,
  type OptionsOrFactory,
} from './define-handler.js';
import type { HandlerOf, NoContract } from './handler-of.js';

/** With a contract, a decorator that checks its method. */
export type RpcDecorator<Call> = [Call] extends [RpcContract<infer Request, infer Response>]
  ? HandlerOf<SchemaOutput<Request>, SchemaInput<Response>>
  : MethodDecorator;

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
export function RpcHandler<Call extends string | NotOptions<RpcContract>>(
  pattern: Call | NoContract,
): RpcDecorator<Call>;
export function RpcHandler<Call extends string | RpcContract>(
  pattern: Call,
  options: OptionsOrFactory | undefined,
): RpcDecorator<Call>;
export function RpcHandler(
  first: string | RpcContract | OptionsOrFactory,
  second?: OptionsOrFactory,
): MethodDecorator {
  return defineHandler({ kind: 'rpc', ...readArguments(first, second) });
}

/** Metadata key, for Reflector. */
RpcHandler.KEY = HANDLER_KEY;
