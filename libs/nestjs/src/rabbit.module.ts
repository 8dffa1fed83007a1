// The module that applications import: one forRoot per connection, forFeature for topology that belongs
// to no handler.

import { type DynamicModule, Module, type Provider } from '@nestjs/common';
import { ModuleRef, ModulesContainer } from '@nestjs/core';
import { ConfigError, type Broker } from '@warren/amqp';
import { RabbitCoreModule } from './core.module.js';
import {
  DEFAULT_CONNECTION,
  getBrokerToken,
  getRabbitOptionsToken,
  RABBIT_CONNECTION,
  RABBIT_FEATURE,
  type RabbitFeatureOptions,
  type RabbitModuleAsyncOptions,
  type RabbitModuleOptions,
  type RabbitOptionsFactory,
} from './module-options.js';
import { Starter } from './runtime/starter.js';

@Module({})
class RabbitFeatureModule {
  constructor(modules: ModulesContainer) {
    if ([...modules.values()].some(({ providers }) => providers.has(RABBIT_CONNECTION))) return;
    throw new ConfigError(
      'forFeature() has no connection to declare anything on',
      'import RabbitModule.forRoot(...) in the root module',
    );
  }
}

/** RabbitMQ for a Nest application. Import `forRoot` once, in the root module; publishers and handlers work everywhere. */
@Module({})
export class RabbitModule {
  /** A connection with options; with a name, a further one. Without options: RABBITMQ_URL, else localhost. */
  static forRoot(options?: RabbitModuleOptions | string): DynamicModule;
  static forRoot(name: string, options: RabbitModuleOptions | undefined): DynamicModule;
  static forRoot(first: string | RabbitModuleOptions = {}, second: RabbitModuleOptions = {}): DynamicModule {
    const [name, options] = typeof first === 'string' ? [first, second] : [DEFAULT_CONNECTION, first];
    const provider = { provide: getRabbitOptionsToken(name), useValue: options };
    return connection(name, RabbitCoreModule.forConnection(name, provider));
  }

  /** The same with options from providers: a factory, a class, or `registerAs(...).asProvider()`. @throws ConfigError */
  static forRootAsync(options: RabbitModuleAsyncOptions): DynamicModule {
    const name = options.name ?? DEFAULT_CONNECTION;
    const providers = optionsProviders(name, options);
    return connection(
      name,
      RabbitCoreModule.forConnection(name, providers[0], options.imports, providers.slice(1)),
    );
  }

  /** Exchanges, queues and bindings that are declared with those of the handlers. */
  static forFeature(options: RabbitFeatureOptions): DynamicModule {
    return { module: RabbitFeatureModule, providers: [{ provide: RABBIT_FEATURE, useValue: options }] };
  }
}

function connection(name: string, core: DynamicModule): DynamicModule {
  return {
    module: RabbitModule,
    imports: [core],
    providers: [
      { provide: RABBIT_CONNECTION, useValue: name },
      {
        provide: `warren:starter:${name}`,
        inject: [getBrokerToken(name), getRabbitOptionsToken(name), ModulesContainer, ModuleRef],
        useFactory: (
          broker: Broker,
          options: RabbitModuleOptions,
          modules: ModulesContainer,
          moduleRef: ModuleRef,
        ) => {
          return new Starter({ name, broker, options, modules, moduleRef });
        },
      },
    ],
  };
}

/** The provider of the options first, then what it needs. */
function optionsProviders(
  name: string,
  options: RabbitModuleAsyncOptions,
): [Provider<RabbitModuleOptions>, ...Provider[]] {
  const provide = getRabbitOptionsToken(name);
  const { useFactory, useClass, useExisting } = options;
  if (useFactory) {
    return [
      {
        provide,
        inject: [...(options.inject ?? [])],
        useFactory: useFactory as (...args: unknown[]) => RabbitModuleOptions,
      },
    ];
  }
  const fromFactory = (factory: RabbitOptionsFactory) => factory.createRabbitOptions() as RabbitModuleOptions;
  if (useClass) return [{ provide, inject: [useClass], useFactory: fromFactory }, useClass];
  if (useExisting) return [{ provide, inject: [useExisting], useFactory: fromFactory }];
  throw new ConfigError('forRootAsync got no factory', 'give useFactory, useClass or useExisting');
}
