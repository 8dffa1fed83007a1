// The only file that reaches into Nest: its own pipeline for messages (guards, interceptors, pipes,
// filters), which has no public constructor. Every path exists in Nest 11 and 12; the table of cases in
// test/e2e/pipeline.nest.spec.ts runs on both.

import {
  type ConsoleLogger,
  HttpException,
  Logger,
  type LoggerService,
  type PipeTransform,
} from '@nestjs/common';
import { ApplicationConfig, type ContextId, type ModuleRef, type NestContainer } from '@nestjs/core';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { GuardsConsumer } from '@nestjs/core/guards/guards-consumer.js';
import { GuardsContextCreator } from '@nestjs/core/guards/guards-context-creator.js';
import { STATIC_CONTEXT } from '@nestjs/core/injector/constants.js';
import { Injector } from '@nestjs/core/injector/injector.js';
import { InterceptorsConsumer } from '@nestjs/core/interceptors/interceptors-consumer.js';
import { InterceptorsContextCreator } from '@nestjs/core/interceptors/interceptors-context-creator.js';
import { PipesConsumer } from '@nestjs/core/pipes/pipes-consumer.js';
import { PipesContextCreator } from '@nestjs/core/pipes/pipes-context-creator.js';
import { REQUEST_CONTEXT_ID } from '@nestjs/core/router/request/request-constants.js';
import { RpcException } from '@nestjs/microservices';
import { ExceptionFiltersContext } from '@nestjs/microservices/context/exception-filters-context.js';
import { RequestContextHost } from '@nestjs/microservices/context/request-context-host.js';
import { RpcContextCreator } from '@nestjs/microservices/context/rpc-context-creator.js';
import { RpcParamtype } from '@nestjs/microservices/enums/rpc-paramtype.enum.js';
import { RpcExceptionsHandler } from '@nestjs/microservices/exceptions/rpc-exceptions-handler.js';
import { Demand, observed } from './observable-items.js';

export { ApplicationConfig, ExecutionContextHost, REQUEST_CONTEXT_ID, RequestContextHost, RpcParamtype };
export type { NestContainer };

/** A provider, controller or enhancer as Nest's container holds it. */
export type Wrapper = Parameters<Injector['loadInjectable']>[0];

/** Where metadata of enhancers stands on classes and methods; the same names in Nest 11 and 12. */
export const ENHANCER_KEYS = {
  guard: '__guards__',
  interceptor: '__interceptors__',
  pipe: '__pipes__',
  filter: '__exceptionFilters__',
} as const;

/** Where metadata of a method's parameters stands on its class. */
export const PARAMETERS_KEY = '__routeArguments__';

/** Runs guards, interceptors, pipes and the method. Takes the payload and the context. */
export type Pipeline = (payload: unknown, context: unknown) => Promise<unknown>;

/** Runs filters on an error. `undefined`: no filter is for it. */
export type Filters = (error: unknown, host: ExecutionContextHost) => unknown;

/** Who gets the outcome of a pipeline; the pendant of Nest's own RpcProxy. */
export interface PipelineProxy {
  create(target: Pipeline, filters: Filters): Pipeline;
}

/** What is ours in a pipeline. */
export interface PipelineParts {
  readonly proxy: PipelineProxy;
  readonly refusals: Refusals;
  /** Whether what the method returns is an answer, which may be many items. */
  readonly answers: boolean;
  /** Whether the payload is a list of messages. */
  readonly batched: boolean;
}

/** Who refused a message before its handler; of a batch, which of its messages. */
export interface Refusal {
  readonly by: 'guard' | 'pipe';
  readonly items: readonly number[];
}

/** The refusals behind errors. */
export type Refusals = WeakMap<object, Refusal>;

/** The container behind a ModuleRef. */
export function containerOf(moduleRef: ModuleRef): NestContainer {
  return (moduleRef as unknown as { container: NestContainer }).container;
}

/** The logger that gets the lines of a `Logger` now: the application's, or a console of its own. */
export function loggerBehind(logger: LoggerService): unknown {
  return logger instanceof Logger ? (logger as unknown as { localInstance: unknown }).localInstance : logger;
}

/** Whether Nest's console writes JSON. */
export function writesJson(logger: ConsoleLogger): boolean {
  return (logger as unknown as { options?: { json?: boolean } }).options?.json === true;
}

/** Whether Nest's console takes an object after the text as fields, as that of Nest 12 does unless told otherwise. */
export function takesParams(logger: ConsoleLogger): boolean {
  const split = logger as unknown as {
    getContextAndMessagesToPrint?: (given: unknown[]) => { params?: unknown };
  };
  return split.getContextAndMessagesToPrint?.(['', { a: 1 }, ''])?.params !== undefined;
}

/** Nest runs hooks by distance from the root; zero comes last at start and first at shutdown. */
export function runHooksLast(module: { distance: number }): void {
  module.distance = 0;
  last.add(module);
}

const last = new WeakSet();

/** Whether a module was loaded lazily, by LazyModuleLoader: Nest gives distances only to those that are there at boot. */
export function isLazy(module: { readonly distance: number }): boolean {
  return module.distance === 0 && !last.has(module);
}

/** Nest's pipeline for messages, with our proxy around it. One per handler: its cache is keyed by class name in Nest 11. */
export function pipelineCreator(
  container: NestContainer,
  config: ApplicationConfig,
  { proxy, refusals, answers, batched }: PipelineParts,
): RpcContextCreator {
  const ours = {
    create: (target: Pipeline, handler: FilterHandler) => {
      return proxy.create(target, (error, host) => handler.filtered(error, host));
    },
  };
  return new RpcContextCreator(
    ours as never,
    filtersContext(container, config),
    new ScopedPipes(container, config),
    new MarkingPipes(refusals, batched),
    new GuardsContextCreator(container, config),
    new MarkingGuards(refusals),
    new InterceptorsContextCreator(container, config),
    answers ? new ItemInterceptors() : new InterceptorsConsumer(),
    config,
  );
}

/**
 * The enhancers that Nest makes for each message (request-scoped) or for each class (transient): those among `named` that a
 * module knows, and the global ones.
 */
export function scopedEnhancers(
  { injectables }: { readonly injectables: ReadonlyMap<unknown, Wrapper> },
  named: readonly unknown[],
  config: ApplicationConfig,
): Wrapper[] {
  const all = [
    ...named.flatMap((enhancer) => injectables.get(enhancer) ?? []),
    ...config.getGlobalRequestGuards(),
    ...config.getGlobalRequestPipes(),
    ...config.getGlobalRequestInterceptors(),
    ...config.getGlobalRequestFilters(),
  ];
  return [...new Set(all)].filter((wrapper) => wrapper.isTransient || !wrapper.isDependencyTreeStatic());
}

/**
 * Gives the instance that handles a message, with the scoped enhancers of one method. Nest itself would make all that its
 * container notes on the class, such as global interceptors that expect an HTTP request.
 */
export class HostInjector extends Injector {
  constructor(
    private readonly host: Wrapper,
    private readonly enhancers: readonly Wrapper[],
  ) {
    super();
  }

  override async loadEnhancersPerContext(
    ...args: Parameters<Injector['loadEnhancersPerContext']>
  ): Promise<void> {
    const [wrapper, contextId] = args;
    if (wrapper !== this.host) return super.loadEnhancersPerContext(...args);
    await Promise.all(this.enhancers.map((enhancer) => this.loadEnhancer(enhancer, contextId)));
  }

  private async loadEnhancer(enhancer: Wrapper, contextId: ContextId): Promise<void> {
    const { host } = this;
    const module = enhancer.host as NonNullable<Wrapper['host']>;
    if (!host.isDependencyTreeStatic() || !enhancer.isDependencyTreeStatic()) {
      return this.loadInjectable(enhancer, module, contextId, host);
    }
    // A transient one: Nest makes one instance for a class that has one instance. It would not find that for a message.
    await this.loadInjectable(enhancer, module, STATIC_CONTEXT, host);
    const own = contextId.getParent?.({ token: enhancer.token, isTreeDurable: false }) ?? contextId;
    enhancer.setInstanceByContextId(own, enhancer.getInstanceByContextId(STATIC_CONTEXT, host.id), host.id);
  }
}

/** Filters only, for errors that happen before there is a pipeline: in a request-scoped constructor. */
export function filtersContext(container: NestContainer, config: ApplicationConfig): OwnFiltersContext {
  return new OwnFiltersContext(container, config);
}

/** Whether Nest would run nothing around a method: no guard, interceptor, pipe, filter or hook, its own or global. */
export function runsNothing(
  container: NestContainer,
  config: ApplicationConfig,
  handler: {
    readonly instance: object;
    readonly callback: (...args: unknown[]) => never;
    readonly module: string;
  },
): boolean {
  const { instance, callback, module } = handler;
  // Nest 11 does not have them.
  const { getGlobalPreRequestHooks } = config as { getGlobalPreRequestHooks?: () => readonly unknown[] };
  const around = [
    new GuardsContextCreator(container, config).create(instance, callback, module),
    new InterceptorsContextCreator(container, config).create(instance, callback, module),
    new PipesContextCreator(container, config).create(instance, callback, module),
    getGlobalPreRequestHooks?.call(config) ?? [],
  ];
  const filters = filtersContext(container, config).create(instance, callback, module);
  return !filters.hasFilters && around.every(({ length }) => length === 0);
}

// Nest's handler turns errors that no filter wants into "Internal server error". Ours hands them on as
// they are, because the broker decides between retry and dead letter by the error.
class FilterHandler extends RpcExceptionsHandler {
  hasFilters = false;

  filtered(error: unknown, host: ExecutionContextHost): unknown {
    return this.invokeCustomFilters(error, host) ?? undefined;
  }
}

class OwnFiltersContext extends ExceptionFiltersContext {
  override create(...args: Parameters<ExceptionFiltersContext['create']>): FilterHandler {
    const [instance, callback, module, contextId, inquirerId] = args;
    this.moduleContext = module;
    const handler = new FilterHandler();
    const filters: Parameters<FilterHandler['setCustomFilters']>[0] = this.createContext(
      instance,
      callback,
      ENHANCER_KEYS.filter,
      contextId,
      inquirerId,
    );
    handler.hasFilters = filters.length > 0;
    if (handler.hasFilters) handler.setCustomFilters(filters.reverse());
    return handler;
  }
}

// Nest looks up the pipes of parameters without the message: one that is made for each would run before its constructor.
class ScopedPipes extends PipesContextCreator {
  private scope: readonly [contextId?: ContextId, inquirerId?: string] = [];

  override create(...args: Parameters<PipesContextCreator['create']>): PipeTransform[] {
    const [, , , ...scope] = args;
    this.scope = scope;
    return super.create(...args);
  }

  override createConcreteContext<T extends unknown[], R extends unknown[]>(
    metadata: T,
    contextId = this.scope[0],
    inquirerId = this.scope[1],
  ): R {
    return super.createConcreteContext<T, R>(metadata, contextId, inquirerId);
  }
}

/** Whether a guard or pipe judged the message. One that fails for another reason, a lost database, is to be asked again. */
export function isVerdict(error: unknown): error is RpcException | HttpException {
  return error instanceof RpcException || (error instanceof HttpException && error.getStatus() < 500);
}

class MarkingPipes extends PipesConsumer {
  constructor(
    private readonly refusals: Refusals,
    private readonly batched: boolean,
  ) {
    super();
  }

  override async apply(...args: Parameters<PipesConsumer['apply']>): Promise<unknown> {
    try {
      const value: unknown = await super.apply(...args);
      return value;
    } catch (error) {
      if (isVerdict(error)) {
        const items = this.batched ? await this.refusedItems(...args) : [];
        this.refusals.set(error, { by: 'pipe', items });
      }
      throw error;
    }
  }

  /**
   * Checking each entry of a batch separately shows which are invalid. Rejects when none is, because a pipe failed for
   * another reason: then nothing is known of that entry.
   */
  private async refusedItems(...args: Parameters<PipesConsumer['apply']>): Promise<number[]> {
    const [list, ...rest] = args as [unknown, Parameters<PipesConsumer['apply']>[1], never];
    if (!Array.isArray(list) || list.length < 2) return [];
    const tries = list.map((entry) => super.apply([entry], ...rest));
    const failures = (await Promise.allSettled(tries)).flatMap((outcome, index) =>
      outcome.status === 'rejected' ? [{ index, reason: outcome.reason as unknown }] : [],
    );
    const refused = failures.filter(({ reason }) => isVerdict(reason));
    if (refused.length === 0 && failures.length > 0) throw failures[0].reason;
    return refused.map(({ index }) => index);
  }
}

class MarkingGuards extends GuardsConsumer {
  constructor(private readonly refusals: Refusals) {
    super();
  }

  override async tryActivate(...args: Parameters<GuardsConsumer['tryActivate']>): Promise<boolean> {
    if (await this.allowed(...args)) return true;
    // What Nest itself throws a moment later, but known to us.
    const refusal = new RpcException('Forbidden resource');
    this.refusals.set(refusal, { by: 'guard', items: [] });
    throw refusal;
  }

  // A guard may also say no by throwing, UnauthorizedException for one.
  private async allowed(...args: Parameters<GuardsConsumer['tryActivate']>): Promise<boolean> {
    try {
      return await super.tryActivate(...args);
    } catch (error) {
      if (typeof error === 'object' && error !== null) this.refusals.set(error, { by: 'guard', items: [] });
      throw error;
    }
  }
}

const demands = new WeakMap<object, Demand>();

/** What the items of one message's handler wait for, by the context of the message. */
export function demandOf(context: object): Demand {
  let demand = demands.get(context);
  if (!demand) demands.set(context, (demand = new Demand()));
  return demand;
}

// A generator is no value to serialize, map or time: interceptors get its items, one by one.
class ItemInterceptors extends InterceptorsConsumer {
  override intercept(...args: Parameters<InterceptorsConsumer['intercept']>): Promise<unknown> {
    const [interceptors, [payload, context], instance, callback, next, type] = args;
    if (interceptors.length === 0) return super.intercept(...args);
    const demand = demandOf(context as object);
    const items = async (): Promise<unknown> => observed(await next(), demand);
    return super.intercept(interceptors, [payload, context], instance, callback, items, type);
  }
}
