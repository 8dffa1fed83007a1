// Handlers of which something is made for each message, their class or an enhancer (request-scoped, or durable): in a
// context of its own, in which REQUEST is the message's RequestContext.

import { ContextIdFactory } from '@nestjs/core';
import type { ContextId } from '@nestjs/core';
import { methodOf } from '../discovery/handler-metadata.js';
import type { PlannedHandler } from '../discovery/handler-plan.js';
import {
  filtersContext,
  HostInjector,
  REQUEST_CONTEXT_ID,
  RequestContextHost,
  type ApplicationConfig,
  type Filters,
  type NestContainer,
  type Pipeline,
  type pipelineCreator,
  type Wrapper,
} from './nest-internals.js';

/** What a per-message pipeline is made from. */
export interface RequestScopeOptions {
  readonly handler: PlannedHandler;
  readonly container: NestContainer;
  readonly config: ApplicationConfig;
  readonly creator: ReturnType<typeof pipelineCreator>;
  /** The enhancers of the handler that are not there before the message. */
  readonly enhancers: readonly Wrapper[];
  /** The outcome of an error from a constructor, after the filters. */
  readonly filtered: (error: unknown, args: unknown[], filters: Filters) => Promise<unknown>;
}

/** A pipeline that makes its instance, if that is request-scoped, and its scoped enhancers anew for each message. */
export function perRequest(options: RequestScopeOptions): Pipeline {
  const { handler, container, config, creator, enhancers, filtered } = options;
  const { host, method, marked } = handler.found;
  const { wrapper, module, collection, prototype } = host;
  const injector = new HostInjector(wrapper, enhancers);
  const isDurable = (one: Wrapper): boolean => one.isDependencyTreeStatic() || one.isDependencyTreeDurable();
  const durable = wrapper.isDependencyTreeStatic()
    ? enhancers.every(isDurable)
    : wrapper.isDependencyTreeDurable();
  return async (payload, context) => {
    const request = RequestContextHost.create(handler.id, payload, context as never);
    const contextId = contextIdOf(request, durable, container);
    let instance: object;
    try {
      instance = await injector.loadPerContext(
        wrapper.instance ?? prototype,
        module,
        collection as never,
        contextId,
        wrapper as never,
      );
    } catch (error) {
      const filters = filtersContext(container, config).create(
        prototype,
        methodOf(prototype, method, marked),
        module.token,
      );
      return filtered(error, [payload, context], (failure, to) => filters.filtered(failure, to));
    }
    const callback = methodOf(instance, method, marked);
    const run = creator.create(instance, callback, module.token, method, contextId, wrapper.id);
    return run(payload, context);
  };
}

function contextIdOf(request: object, durable: boolean, container: NestContainer): ContextId {
  const contextId = ContextIdFactory.getByRequest(request as Record<string, unknown>);
  if (!(REQUEST_CONTEXT_ID in request)) {
    Object.defineProperty(request, REQUEST_CONTEXT_ID, { value: contextId });
    const provided: unknown = durable ? (contextId as { payload?: unknown }).payload : request;
    container.registerRequestProvider(provided, contextId);
  }
  return contextId;
}
