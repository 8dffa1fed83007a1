// A handler as a function of its delivery: Nest's pipeline put together once, and the proof of success.
// A filter that swallows an error is no success; only the method's own return is.

import {
  ConfigError,
  DecodeError,
  OutcomeSignal,
  Reject,
  type Delivery,
  type HandlerRegistration,
} from '@warren/amqp';
import type { PlannedHandler } from '../discovery/handler-plan.js';
import {
  ENHANCER_KEYS,
  PARAMETERS_KEY,
  containerOf,
  demandOf,
  ExecutionContextHost,
  isVerdict,
  pipelineCreator,
  runsNothing,
  scopedEnhancers,
  type Filters,
  type NestContainer,
  type Pipeline,
  type Refusals,
} from './nest-internals.js';
import type { ApplicationConfig, ModuleRef } from '@nestjs/core';
import { HttpException } from '@nestjs/common';
import { isObservable, lastValueFrom, Observable, takeUntil } from 'rxjs';
import { RabbitBatchContext, RabbitContext } from '../decorators/rabbit-context.js';
import { methodOf } from '../discovery/handler-metadata.js';
import { itemsOf, iteratorOf } from './observable-items.js';
import { plainHandler } from './plain-handler.js';
import { perRequest } from './request-scope.js';
import { filterError } from './rpc-errors.js';

// A guard that is named by class but unknown to the module that owns the handler would be skipped by
// Nest without a word. An open door must be a boot error.

/** Checks every guard, interceptor, pipe and filter that the handler names by class. @throws ConfigError */
export function assertEnhancersRun({ id, found }: PlannedHandler): void {
  const { className, module } = found.host;
  for (const [kind, enhancer] of namedEnhancers(found)) {
    if (typeof enhancer !== 'function' || module.injectables.has(enhancer)) continue;
    throw new ConfigError(
      `${id} uses the ${kind} ${enhancer.name}, which Nest would not run: ${className} is provided by a factory or value`,
      `provide ${className} as a class, or use an instance (new ${enhancer.name}()) instead of the class`,
    );
  }
}

/** The enhancers that a handler's class, method and parameters name, each with its kind. */
function namedEnhancers({ host: { prototype }, method }: PlannedHandler['found']): [string, unknown][] {
  const callback = (prototype as Record<string, object>)[method];
  const parameters = (Reflect.getMetadata(PARAMETERS_KEY, prototype.constructor, method) ?? {}) as Parameters;
  return [
    ...Object.entries(ENHANCER_KEYS).flatMap(([kind, key]) =>
      [...metadata(key, prototype.constructor), ...metadata(key, callback)].map(
        (enhancer): [string, unknown] => [kind, enhancer],
      ),
    ),
    ...Object.values(parameters).flatMap(({ pipes = [] }) =>
      pipes.map((pipe): [string, unknown] => ['pipe', pipe]),
    ),
  ];
}

type Parameters = Record<string, { readonly pipes?: readonly unknown[] }>;

function metadata(key: string, target: object): unknown[] {
  return (Reflect.getMetadata(key, target) ?? []) as unknown[];
}

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
  const { host, method, mark, marked } = handler.found;
  assertEnhancersRun(handler);
  const container = containerOf(moduleRef);
  const refusals: Refusals = new WeakMap();
  const proxy = {
    create: (target: Pipeline, filters: Filters) => proven(target, filters, mark.kind, refusals),
  };
  const answers = mark.kind === 'rpc';
  const batched = handler.options.batch !== undefined;
  const creator = pipelineCreator(container, config, { proxy, refusals, answers, batched });
  const named = namedEnhancers(handler.found).map(([, enhancer]) => enhancer);
  const enhancers = scopedEnhancers(host.module, named, config);
  const isStatic = host.wrapper.isDependencyTreeStatic() && enhancers.length === 0;
  const run = isStatic
    ? (creator.create(
        host.wrapper.instance as object,
        methodOf(host.wrapper.instance, method, marked),
        moduleKey(handler),
        method,
      ) as Pipeline)
    : perRequest({ handler, container, config, creator, enhancers, filtered });
  const bare = isStatic && isBare(handler, container, config) ? plainHandler(handler, settled) : undefined;
  if (bare && !batched) return bare;
  const { connection } = handler;
  return (input) =>
    Array.isArray(input)
      ? batch(input as Delivery[])
      : run(payloadOf(input), new RabbitContext(input as Delivery, connection));

  // One invalid message must not dead-letter the others of its batch.
  async function batch(deliveries: readonly Delivery[]): Promise<unknown> {
    try {
      return await run(payloadOf(deliveries), new RabbitBatchContext(deliveries, connection));
    } catch (error) {
      const cause = error instanceof DecodeError ? error.cause : undefined;
      const bad = typeof cause === 'object' && cause !== null ? (refusals.get(cause)?.items ?? []) : [];
      if (bad.length === 0 || bad.length === deliveries.length) throw error;
      for (const index of bad) deliveries[index].reject((error as Error).message);
      return batch(deliveries.filter((_delivery, index) => !bad.includes(index)));
    }
  }

  async function filtered(error: unknown, args: unknown[], filters: Filters): Promise<unknown> {
    return outcome(error, args, filters, mark.kind, refusals);
  }
}

function isBare(handler: PlannedHandler, container: NestContainer, config: ApplicationConfig): boolean {
  const { wrapper } = handler.found.host;
  const callback = methodOf(wrapper.instance, handler.found.method, handler.found.marked);
  const method = { instance: wrapper.instance as object, callback, module: moduleKey(handler) };
  return runsNothing(container, config, method);
}

/** The module under which Nest finds the host's enhancers. */
export function moduleKey({ found }: PlannedHandler): string {
  return found.host.module.token;
}

function payloadOf(input: Delivery | readonly Delivery[]): unknown {
  return Array.isArray(input)
    ? input.map((delivery: Delivery) => delivery.payload)
    : (input as Delivery).payload;
}

type Iterating = AsyncIterator<unknown> | Iterator<unknown>;

function proven(
  target: Pipeline,
  filters: Filters,
  kind: PlannedHandler['found']['mark']['kind'],
  refusals: Refusals,
): Pipeline {
  return async (...args) => {
    const failed = (error: unknown): Promise<unknown> => outcome(error, args, filters, kind, refusals);
    try {
      const value = await settled(await target(...args), args[1]);
      const items = kind === 'rpc' ? iteratorOf(value) : undefined;
      return items ? itemsOr(items, failed) : value;
    } catch (error) {
      return failed(error);
    }
  };
}

/**
 * Items of a generator. What it throws in the middle goes to the filters, whose value, or values, are then the last
 * items. By hand: a generator around it could not let go of it while it waits.
 */
function itemsOr(items: Iterating, failed: (error: unknown) => Promise<unknown>): AsyncIterable<unknown> {
  let iterator: Iterating | undefined = items;
  let filtered = false;
  const taken = async (): Promise<IteratorResult<unknown>> => {
    const item: IteratorResult<unknown> | undefined = await iterator?.next();
    return !item || item.done ? { done: true, value: undefined } : { done: false, value: await item.value };
  };
  const next = async (): Promise<IteratorResult<unknown>> => {
    try {
      return await taken();
    } catch (error) {
      iterator = undefined;
      if (filtered) throw error;
      filtered = true;
      const value = await failed(error);
      iterator = iteratorOf(value);
      return iterator ? next() : { done: false, value };
    }
  };
  const end = async (): Promise<IteratorResult<unknown>> => {
    const left = iterator;
    iterator = undefined;
    await left?.return?.();
    return { done: true, value: undefined };
  };
  return { [Symbol.asyncIterator]: () => ({ next, return: end }) };
}

function isStreamed(context: RabbitContext): boolean {
  return context.getArgs()[0].run.streamed;
}

/**
 * The last value of an Observable, its error as a throw; `undefined` when it ends without a value. All its values as
 * items when the caller reads a stream.
 */
async function settled(result: unknown, context: unknown): Promise<unknown> {
  if (!isObservable(result)) return result;
  if (context instanceof RabbitContext && isStreamed(context)) return itemsOf(result, demandOf(context));
  const { signal } = context as RabbitContext | RabbitBatchContext;
  // When the caller stops waiting, the subscription ends too, with an error: an abort is not a success.
  const aborted = new Observable<never>((subscriber) => {
    const fail = (): void => subscriber.error(signal.reason);
    if (signal.aborted) fail();
    signal.addEventListener('abort', fail, { once: true });
    return () => signal.removeEventListener('abort', fail);
  });
  return lastValueFrom(result.pipe(takeUntil(aborted)), { defaultValue: undefined });
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
  const value = await answered(() => filters(error, host), error, args[1]);
  if (value instanceof OutcomeSignal) throw value;
  if (kind === 'rpc' && value !== undefined) return value;
  const refusal = refused(error, refusals);
  if (refusal) for (const { run } of deliveriesOf(args[1])) run.refused = true;
  throw refusal ?? error;
}

function deliveriesOf(context: unknown): readonly Delivery[] {
  const [given] = (context as RabbitContext | RabbitBatchContext).getArgs() as [
    Delivery | readonly Delivery[],
  ];
  return Array.isArray(given) ? (given as readonly Delivery[]) : [given as Delivery];
}

/** What the filters say. One that throws replaces the error, as everywhere in Nest. */
async function answered(filters: () => unknown, error: unknown, context: unknown): Promise<unknown> {
  try {
    return await settled(await filters(), context);
  } catch (thrown) {
    // What is only passed on was not made for the caller by that.
    throw thrown === error ? thrown : filterError(thrown);
  }
}

/** A message that guard or pipe turned away: no retry would change their mind. */
function refused(error: unknown, refusals: Refusals): Error | undefined {
  const refusal = typeof error === 'object' && error !== null ? refusals.get(error) : undefined;
  if (!refusal || !isVerdict(error)) return undefined;
  return refusal.by === 'guard'
    ? Reject(`a guard refused the message: ${detail(error)}`, error)
    : new DecodeError(`a pipe refused the message: ${detail(error)}`, '', [], error);
}

function detail(error: Error): string {
  const response: unknown = error instanceof HttpException ? error.getResponse() : undefined;
  const { message } = (typeof response === 'object' && response !== null ? response : error) as {
    message?: unknown;
  };
  return Array.isArray(message) ? message.join('; ') : String(message);
}
