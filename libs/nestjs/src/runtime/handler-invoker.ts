// A handler as a function of its delivery: Nest's pipeline put together once, and the proof of success.
// A filter that swallows an error is no success; only the method's own return is.

import type { ApplicationConfig, ModuleRef } from '@nestjs/core';
import { HttpException } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { DecodeError, OutcomeSignal, Reject, type Delivery, type HandlerRegistration } from '@warren/amqp';
import { isObservable, lastValueFrom } from 'rxjs';
import { RabbitBatchContext, RabbitContext } from '../decorators/rabbit-context.js';
import type { PlannedHandler } from '../discovery/handler-plan.js';
import { assertEnhancersRun } from './enhancers.js';
import {
  containerOf,
  ExecutionContextHost,
  pipelineCreator,
  type Filters,
  type Pipeline,
  type Refusals,
} from './nest-internals.js';
import { perRequest } from './request-scope.js';

/** What an invoker needs of the application. */
export interface InvokerOptions {
  readonly moduleRef: ModuleRef;
  /** Global enhancers: the application's, or none. */
  readonly config: ApplicationConfig;
}

/** The function to register for a handler. @throws ConfigError when an enhancer of it would be skipped */
export function invoker(
  handler: PlannedHandler,
  { moduleRef, config }: InvokerOptions,
): HandlerRegistration['handle'] {
  const { host, method, mark } = handler.found;
  assertEnhancersRun(handler);
  const container = containerOf(moduleRef);
  const refusals: Refusals = new WeakMap();
  const proxy = {
    create: (target: Pipeline, filters: Filters) => proven(target, filters, mark.kind, refusals),
  };
  const creator = pipelineCreator(container, config, proxy, refusals);
  const run = host.wrapper.isDependencyTreeStatic()
    ? (creator.create(
        host.wrapper.instance as object,
        implementation(host.wrapper.instance, method),
        moduleKey(handler),
        method,
      ) as Pipeline)
    : perRequest({ handler, container, config, creator, filtered });
  return (input) => run(payloadOf(input), contextOf(input));

  async function filtered(error: unknown, args: unknown[], filters: Filters): Promise<unknown> {
    return outcome(error, args, filters, mark.kind, refusals);
  }
}

/** The module under which Nest finds the host's enhancers. */
export function moduleKey({ found }: PlannedHandler): string {
  return found.host.module.token;
}

/** The method of an instance, typed as Nest wants it. */
export function implementation(instance: unknown, method: string): (...args: unknown[]) => never {
  return (instance as Record<string, (...args: unknown[]) => never>)[method];
}

function payloadOf(input: Delivery | readonly Delivery[]): unknown {
  return Array.isArray(input)
    ? input.map((delivery: Delivery) => delivery.payload)
    : (input as Delivery).payload;
}

function contextOf(input: Delivery | readonly Delivery[]): RabbitContext | RabbitBatchContext {
  return Array.isArray(input)
    ? new RabbitBatchContext(input as Delivery[])
    : new RabbitContext(input as Delivery);
}

function proven(
  target: Pipeline,
  filters: Filters,
  kind: PlannedHandler['found']['mark']['kind'],
  refusals: Refusals,
): Pipeline {
  return async (...args) => {
    try {
      return await settled(await target(...args));
    } catch (error) {
      return outcome(error, args, filters, kind, refusals);
    }
  };
}

/** The last value of an Observable, its error as a throw; `undefined` when it ends without a value. */
async function settled(result: unknown): Promise<unknown> {
  return isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : result;
}

/** What a failure comes to when the filters have had their say. */
async function outcome(
  error: unknown,
  args: unknown[],
  filters: Filters,
  kind: PlannedHandler['found']['mark']['kind'],
  refusals: Refusals,
): Promise<unknown> {
  if (error instanceof OutcomeSignal) throw error;
  const host = new ExecutionContextHost(args);
  host.setType('rpc');
  // A filter that throws replaces the error, as everywhere in Nest.
  const value = await settled(await filters(error, host));
  if (value instanceof OutcomeSignal) throw value;
  if (kind === 'rpc' && value !== undefined) return value;
  throw refused(error, refusals) ?? error;
}

/** A message that guard or pipe turned away: no retry would change their mind. */
function refused(error: unknown, refusals: Refusals): Error | undefined {
  const by = typeof error === 'object' && error !== null ? refusals.get(error) : undefined;
  if (by === undefined) return undefined;
  const { message } = error as Error;
  if (by === 'guard') return Reject(`a guard refused the message: ${message}`, error);
  // A pipe that fails for reasons of its own (a database that is away) is a failure like any other.
  const isVerdict =
    error instanceof RpcException || (error instanceof HttpException && error.getStatus() < 500);
  return isVerdict
    ? new DecodeError(`a pipe refused the message: ${detail(error)}`, '', [], error)
    : undefined;
}

function detail(error: Error): string {
  const response: unknown = error instanceof HttpException ? error.getResponse() : undefined;
  const { message } = (typeof response === 'object' && response !== null ? response : error) as {
    message?: unknown;
  };
  return Array.isArray(message) ? message.join('; ') : String(message);
}
