// The global half of a connection: its broker object and its publisher, there for everybody from the
// start and, at shutdown, until everybody else is done.

import { type DynamicModule, Logger, Module, type Provider } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { Broker } from '@warren/amqp';
import {
  getBrokerToken,
  getRabbitOptionsToken,
  RABBIT_OVERRIDE,
  type RabbitModuleOptions,
  type RabbitOverride,
} from './module-options.js';
import { Listeners } from './runtime/listeners.js';
import { getPublisherToken, Publisher } from './runtime/publisher.js';
import { registerEarly } from './runtime/starter.js';
import { remoteError } from './runtime/rpc-errors.js';

/** See RabbitModule, which imports it. */
@Module({})
export class RabbitCoreModule {
  static forConnection(
    name: string,
    options: Provider<RabbitModuleOptions>,
    imports: DynamicModule['imports'] = [],
    extra: readonly Provider[] = [],
  ): DynamicModule {
    const publisher = getPublisherToken(name);
    const broker = getBrokerToken(name);
    return {
      module: RabbitCoreModule,
      global: true,
      imports,
      providers: [
        ...extra,
        options,
        { provide: RABBIT_OVERRIDE, useValue: null },
        { provide: broker, inject: [getRabbitOptionsToken(name), RABBIT_OVERRIDE], useFactory: makeBroker },
        { provide: publisher, inject: [broker], useFactory: (object: Broker) => new Publisher(object) },
        {
          provide: `warren:listeners:${name}`,
          inject: [broker, ModulesContainer],
          useFactory: (object: Broker, modules: ModulesContainer) => new Listeners(name, object, modules),
        },
      ],
      exports: [broker, publisher, getRabbitOptionsToken(name)],
    };

    function makeBroker(given: RabbitModuleOptions, override: RabbitOverride | null): Broker {
      const wanted = override ? override.options(name, given) : given;
      const { inheritGlobals, ...rest } = wanted;
      void inheritGlobals;
      const made: Broker = new Broker(
        { ...rest, logger: rest.logger ?? new Logger('Rabbit') },
        { name, remoteError, register: () => registerEarly(made), ...override?.internals },
      );
      override?.onBroker(name, made);
      return made;
    }
  }
}
