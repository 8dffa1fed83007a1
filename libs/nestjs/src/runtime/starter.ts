// Starts the consumers of one connection when the application is ready for messages, and stops them
// before anything that handlers use goes away.

import type { OnApplicationBootstrap, OnModuleDestroy } from '@nestjs/common';
import { ApplicationConfig, LazyModuleLoader, type ModuleRef, type ModulesContainer } from '@nestjs/core';
import { ConfigError, logStartFailure, type Broker } from '@warren/amqp';
import { handlersOf, lateError, refuseLazyHandlers } from '../discovery/application.js';
import { connectionNames } from '../discovery/connections.js';
import {
  DEFAULT_CONNECTION,
  RABBIT_CONNECTION,
  RABBIT_FEATURE,
  type RabbitFeatureOptions,
  type RabbitModuleOptions,
} from '../module-options.js';
import { invoker } from './handler-invoker.js';
import { containerOf, isLazy, runHooksLast } from './nest-internals.js';
import { getPublisherToken, Publisher } from './publisher.js';

/** What a starter needs. */
export interface StarterOptions {
  readonly name: string;
  readonly broker: Broker;
  readonly options: RabbitModuleOptions;
  readonly modules: ModulesContainer;
  readonly moduleRef: ModuleRef;
}

const starters = new WeakMap<Broker, Starter>();

/** The broker objects of each application. */
const brokers = new WeakMap<ModulesContainer, Set<Broker>>();

/** All connections of an application. Nest waits for the hooks of one module before it calls those of the next. */
export function brokersOf(modules: ModulesContainer): readonly Broker[] {
  return [...(brokers.get(modules) ?? [])];
}

/** Registers the handlers of a broker object before it opens: a hook that runs earlier publishes. */
export function registerEarly(broker: Broker): void {
  starters.get(broker)?.register();
}

/** One per connection. */
export class Starter implements OnApplicationBootstrap, OnModuleDestroy {
  private registered: { readonly failure?: unknown } | undefined;

  constructor(private readonly parts: StarterOptions) {
    starters.set(parts.broker, this);
    brokers.set(parts.modules, (brokers.get(parts.modules) ?? new Set<Broker>()).add(parts.broker));
    // Consuming begins when every other module has bootstrapped, and ends before any is destroyed.
    for (const module of parts.modules.values()) {
      if (module.providers.get(RABBIT_CONNECTION)?.instance !== parts.name) continue;
      // Nest runs no hooks of such a module, so the connection would never open.
      if (isLazy(module)) throw lateError(`RabbitModule.forRoot('${parts.name}')`);
      runHooksLast(module);
    }
  }

  async onApplicationBootstrap(): Promise<void> {
    const { broker } = this.parts;
    try {
      this.register();
    } catch (error) {
      // The application rejects with it, and may end as Node ends: without the logger.
      logStartFailure(broker.settings.logger, error);
      throw error;
    }
    if (this.isNeeded()) await broker.open();
  }

  /** Declares features and registers handlers, once. @throws ConfigError, the same each time */
  register(): void {
    if (!this.registered) {
      this.registered = {};
      try {
        this.registerAll();
      } catch (failure) {
        this.registered = { failure };
      }
    }
    if ('failure' in this.registered) throw this.registered.failure;
  }

  async onModuleDestroy(): Promise<void> {
    // One after the other, the last would start handlers until the others are done.
    await Promise.all(brokersOf(this.parts.modules).map((broker) => broker.drain()));
  }

  // A test that puts something else in the place of the publisher, and consumes nothing, talks to no broker.
  private isNeeded(): boolean {
    const { name, broker, options, modules } = this.parts;
    if (this.get(getPublisherToken(name)) instanceof Publisher) return true;
    const consumes = handlersOf(modules, this.get).some(({ connection }) => connection === name);
    if (consumes && options.consumers !== false) return true;
    broker.settings.logger.warn(
      `the publisher of '${name}' was replaced and nothing is consumed: the connection stays closed`,
      { event: 'not-connected', connection: name },
    );
    return false;
  }

  private readonly get = <T>(token: unknown): T =>
    this.parts.moduleRef.get<T>(token as never, { strict: false });

  private registerAll(): void {
    const { get } = this;
    const { name, broker, modules, moduleRef, options } = this.parts;
    const connections = connectionNames(modules);
    const globals = options.inheritGlobals ? containerOf(moduleRef).applicationConfig : undefined;
    const config = globals ?? new ApplicationConfig();
    this.declareFeatures(connections);
    refuseLazyHandlers(get(LazyModuleLoader), modules);
    for (const handler of handlersOf(modules, get)) {
      if (handler.connection !== name) continue;
      const { kind, patterns } = handler.found.mark;
      const handle = invoker(handler, { moduleRef, config });
      broker.register({ kind, patterns, id: handler.id, options: handler.options, handle });
    }
  }

  private declareFeatures(connections: readonly string[]): void {
    const { name, broker, modules } = this.parts;
    for (const module of modules.values()) {
      const feature = module.providers.get(RABBIT_FEATURE)?.instance as RabbitFeatureOptions | undefined;
      if (!feature) continue;
      const { connection = DEFAULT_CONNECTION, ...topology } = feature;
      if (!connections.includes(connection)) {
        throw new ConfigError(`forFeature names the connection '${connection}', which is not configured`, '');
      }
      if (connection === name) broker.declare(topology, 'forFeature()');
    }
  }
}
