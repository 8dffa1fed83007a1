// The global half of a connection: its broker object and its publisher, there for everybody from the
// start and, at shutdown, until everybody else is done. It tells the connection's events to the methods that asked for them,
// from before it opens until after it is closed.

import {
  type DynamicModule,
  type InjectionToken,
  Logger,
  Module,
  type OnApplicationShutdown,
  type OnModuleInit,
  type Provider,
} from '@nestjs/common';
import { ModuleRef, ModulesContainer } from '@nestjs/core';
import {
  Broker,
  type BrokerLogger,
  type BrokerEvent,
  type BrokerEventKind,
  ConfigError,
  type Plugin,
} from '@warren/amqp';
import { serve } from './decorators/demand-module.js';
import { connectionNames } from './discovery/connections.js';
import { hosts } from './discovery/hosts.js';
import { exploreListeners, type FoundListener } from './discovery/listener-explorer.js';
import {
  getBrokerToken,
  getRabbitOptionsToken,
  RABBIT_OVERRIDE,
  type RabbitModuleOptions,
  type RabbitOverride,
} from './module-options.js';
import {
  DevelopmentBroker,
  developmentBrokerClosed,
  isForDevelopment,
} from './runtime/development-broker.js';
import { getPublisherToken, Publisher } from './runtime/publisher.js';
import { getControlToken, RabbitControl } from './runtime/rabbit-control.js';
import { brokersOf, registerEarly } from './runtime/starter.js';
import { isNestLogger, nestLogger } from './runtime/nest-logger.js';
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
    const control = getControlToken(name);
    return {
      module: RabbitCoreModule,
      global: true,
      imports,
      providers: [
        ...extra,
        options,
        { provide: RABBIT_OVERRIDE, useValue: null },
        {
          provide: broker,
          inject: [getRabbitOptionsToken(name), RABBIT_OVERRIDE, ModuleRef],
          useFactory: (given: RabbitModuleOptions, override: RabbitOverride | null, ref: ModuleRef) =>
            brokerFor(name, given, override, ref),
        },
        { provide: publisher, inject: [broker], useFactory: (object: Broker) => new Publisher(object) },
        { provide: control, inject: [broker], useFactory: (object: Broker) => new RabbitControl(object) },
        {
          provide: `warren:listeners:${name}`,
          inject: [broker, ModulesContainer],
          useFactory: (object: Broker, modules: ModulesContainer) => new Listeners(name, object, modules),
        },
      ],
      exports: [broker, publisher, control, getRabbitOptionsToken(name)],
    };
  }
}

/** One per connection. Global modules are initialized first, so this comes before anybody can publish in a hook. */
class Listeners implements OnModuleInit, OnApplicationShutdown {
  private readonly leave: (() => void)[] = [];

  constructor(
    private readonly name: string,
    private readonly broker: Broker,
    private readonly modules: ModulesContainer,
  ) {}

  onModuleInit(): void {
    serve(hosts(this.modules).map(({ prototype }) => prototype));
    for (const found of exploreListeners(this.modules, connectionNames(this.modules))) {
      if (found.connection === this.name) this.leave.push(listen(this.broker, found));
    }
  }

  /** Closes the connections when HTTP servers and other modules have stopped using them; then nothing is left to hear. */
  async onApplicationShutdown(): Promise<void> {
    await Promise.all(brokersOf(this.modules).map((broker) => broker.close()));
    await developmentBrokerClosed(this.broker);
    for (const leave of this.leave.splice(0)) leave();
  }
}

function listen(broker: Broker, { id, kinds, instance, method }: FoundListener): () => void {
  const tell = (event: BrokerEvent): unknown => instance[method](event);
  // The name stands in the log line when it fails.
  Object.defineProperty(tell, 'name', { value: id });
  return broker.on(tell, kinds.includes('*') ? undefined : (kinds as readonly BrokerEventKind[]));
}

/** A plugin as it was given, or the provider of a token. @throws ConfigError when there is none, or one per request */
function pluginOf(entry: unknown, moduleRef: ModuleRef): unknown {
  if (typeof entry === 'object' && entry !== null) return entry;
  const token = entry as InjectionToken;
  try {
    return moduleRef.get<unknown>(token as never, { strict: false });
  } catch (error) {
    const called = typeof entry === 'function' ? entry.name : String(entry);
    throw new ConfigError(
      `the plugin ${called} cannot be had: ${(error as Error).message.split('\n')[0]}`,
      'a plugin is a provider of a module that is there when the application starts, and has one instance',
      error,
    );
  }
}

function loggerOf(given: BrokerLogger = new Logger('Rabbit')): BrokerLogger {
  return isNestLogger(given) ? nestLogger(given) : given;
}

/** The broker object; what `development` says is a promise, since its package is loaded only then. @throws ConfigError */
function brokerFor(
  name: string,
  given: RabbitModuleOptions,
  override: RabbitOverride | null,
  moduleRef: ModuleRef,
): Broker | Promise<Broker> {
  const { development, ...options } = override ? override.options(name, given) : given;
  const make = (url = options.url): Broker => makeBroker(name, { ...options, url }, override, moduleRef);
  if (development === undefined) return make();
  const logger = loggerOf(options.logger);
  if (isForDevelopment(options.url)) {
    return DevelopmentBroker.prepare(development, logger).then((own) => own.endWith(make(own.url)));
  }
  // A test has its own broker.
  if (!override) {
    const what = options.url === undefined ? 'RABBITMQ_URL is set' : 'url is given';
    logger.debug?.(`${what}: no broker is started for development`, {
      event: 'development-unused',
    });
  }
  return make();
}

function makeBroker(
  name: string,
  wanted: RabbitModuleOptions,
  override: RabbitOverride | null,
  moduleRef: ModuleRef,
): Broker {
  const { inheritGlobals, plugins, ...rest } = wanted;
  void inheritGlobals;
  const made: Broker = new Broker(
    // Tokens among the plugins become providers when plugins are first used, which is when there are providers.
    {
      ...rest,
      plugins: plugins as readonly Plugin[] | undefined,
      logger: loggerOf(rest.logger),
    },
    {
      name,
      remoteError,
      register: () => registerEarly(made),
      plugin: (entry) => pluginOf(entry, moduleRef),
      ...override?.internals,
    },
  );
  override?.onBroker(name, made);
  return made;
}
