// Starts the consumers of one connection when the application is ready for messages, and stops them
// before anything that handlers use goes away.

import type { OnApplicationBootstrap, OnModuleDestroy } from '@nestjs/common';
import { ApplicationConfig, type ModuleRef, type ModulesContainer } from '@nestjs/core';
import { ConfigError, type Broker } from '@warren/amqp';
import { exploreHandlers } from '../discovery/handler-explorer.js';
import { planHandlers } from '../discovery/handler-plan.js';
import {
  RABBIT_CONNECTION,
  RABBIT_FEATURE,
  type RabbitFeatureOptions,
  type RabbitModuleOptions,
} from '../module-options.js';
import { invoker } from './handler-invoker.js';
import { containerOf, runHooksLast } from './nest-internals.js';

/** What a starter needs. */
export interface StarterOptions {
  readonly name: string;
  readonly broker: Broker;
  readonly options: RabbitModuleOptions;
  readonly modules: ModulesContainer;
  readonly moduleRef: ModuleRef;
}

/** One per connection. */
export class Starter implements OnApplicationBootstrap, OnModuleDestroy {
  constructor(private readonly parts: StarterOptions) {
    // Consuming begins when every other module has bootstrapped, and ends before any is destroyed.
    for (const module of parts.modules.values()) {
      if (module.providers.get(RABBIT_CONNECTION)?.instance === parts.name) runHooksLast(module);
    }
  }

  async onApplicationBootstrap(): Promise<void> {
    const { name, broker, modules, moduleRef, options } = this.parts;
    const connections = this.connections();
    const get = <T>(token: unknown): T => moduleRef.get<T>(token as never, { strict: false });
    const globals = options.inheritGlobals ? containerOf(moduleRef).applicationConfig : undefined;
    const config = globals ?? new ApplicationConfig();
    this.declareFeatures(connections);
    for (const handler of planHandlers(exploreHandlers(modules), get, connections)) {
      if (handler.connection !== name) continue;
      const { kind, patterns } = handler.found.mark;
      const handle = invoker(handler, { moduleRef, config });
      broker.register({ kind, patterns, id: handler.id, options: handler.options, handle });
    }
    await broker.open();
  }

  async onModuleDestroy(): Promise<void> {
    await this.parts.broker.drain();
  }

  /** Names of all connections of this application. @throws ConfigError when one is configured twice */
  private connections(): string[] {
    const names: string[] = [];
    for (const module of this.parts.modules.values()) {
      const name = module.providers.get(RABBIT_CONNECTION)?.instance as string | undefined;
      if (name === undefined) continue;
      if (names.includes(name)) {
        throw new ConfigError(
          `the connection '${name}' is configured twice`,
          'call forRoot once per connection and import nothing elsewhere: it is global; a second one needs a name',
        );
      }
      names.push(name);
    }
    return names;
  }

  private declareFeatures(connections: readonly string[]): void {
    const { name, broker, modules } = this.parts;
    for (const module of modules.values()) {
      const feature = module.providers.get(RABBIT_FEATURE)?.instance as RabbitFeatureOptions | undefined;
      if (!feature) continue;
      const { connection = 'default', ...topology } = feature;
      if (!connections.includes(connection)) {
        throw new ConfigError(`forFeature names the connection '${connection}', which nobody configured`, '');
      }
      if (connection === name) broker.declare(topology, 'forFeature()');
    }
  }
}
