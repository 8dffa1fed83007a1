// What `forRoot` and `forRootAsync` take, and the tokens under which a connection's parts are found.
// Tokens are strings made from the name: two copies of this package in one process still agree.

import type { InjectionToken, ModuleMetadata, OptionalFactoryDependency, Type } from '@nestjs/common';
import type { BrokerHooks, BrokerOptions, Plugin, TopologyOptions } from '@warren/amqp';

/** Name of the connection that handlers and publishers use by default. */
export const DEFAULT_CONNECTION = 'default';

/** Options of one connection. All have defaults; see docs/options.md. */
export interface RabbitModuleOptions extends Omit<BrokerOptions, 'plugins'> {
  /** Extensions, the outermost first: plugins, or tokens of providers that are plugins (their classes, mostly). */
  readonly plugins?: readonly (Plugin | InjectionToken)[] | undefined;
  /** Whether the application's global guards, pipes, interceptors and filters also run on messages. Default false. */
  readonly inheritGlobals?: boolean | undefined;
  /**
   * The broker to use when there is no `url` and no RABBITMQ_URL: `'embedded'` starts `@warren/embedded` at port 5672, or
   * uses the broker that listens there. An error when NODE_ENV is `production`. Default: none is started.
   */
  readonly development?: DevelopmentOption | undefined;
}

/** An embedded broker for development, with its defaults or with some options. */
export type DevelopmentOption =
  | 'embedded'
  | {
      /** Options of the embedded broker. Default: the default of each. */
      readonly embedded: EmbeddedInDevelopment;
    };

/** Options of the embedded broker for development. */
export interface EmbeddedInDevelopment {
  /** Port to listen on. Default 5672. */
  readonly port?: number | undefined;
  /** Folder for durable queues and persistent messages, which then survive a restart. Default: none, all is in memory. */
  readonly data?: string | undefined;
  /** The management HTTP API: a port, or `true` for any free port. Default: off. */
  readonly management?: boolean | number | undefined;
}

/** For `useClass` and `useExisting`. */
export interface RabbitOptionsFactory {
  /** The options of the connection. */
  createRabbitOptions(): RabbitModuleOptions | Promise<RabbitModuleOptions>;
}

/** Options from a factory, a class, or what `registerAs(...).asProvider()` returns. */
export interface RabbitModuleAsyncOptions {
  /** The connection's name. Default: the default connection. */
  readonly name?: string | undefined;
  /** Modules whose providers the factory needs. Default: none. */
  readonly imports?: ModuleMetadata['imports'] | undefined;
  /** Tokens of what the factory gets as its parameters. Default: none. */
  readonly inject?: readonly (InjectionToken | OptionalFactoryDependency)[] | undefined;
  /** Returns the options; its parameters are what `inject` names. Default: none. */
  readonly useFactory?:
    ((...args: never[]) => RabbitModuleOptions | Promise<RabbitModuleOptions>) | undefined;
  /** A class that makes the options; it is instantiated here. Default: none. */
  readonly useClass?: Type<RabbitOptionsFactory> | undefined;
  /** Token of a provider that makes the options. Default: none. */
  readonly useExisting?: InjectionToken | undefined;
}

/** Topology without handlers, for one connection. */
export interface RabbitFeatureOptions extends TopologyOptions {
  /** Default: the default connection. */
  readonly connection?: string | undefined;
}

/** What a test puts in the way of every connection. */
export interface RabbitOverride {
  /** Options that override the application's. */
  readonly options: (name: string, options: RabbitModuleOptions) => RabbitModuleOptions;
  readonly internals: BrokerHooks;
  /** Called with each broker object made. */
  readonly onBroker: (name: string, broker: unknown) => void;
}

export const RABBIT_OVERRIDE = 'warren:override';
export const RABBIT_CONNECTION = 'warren:connection';
export const RABBIT_FEATURE = 'warren:feature';

/** Token of a connection's options. */
export function getRabbitOptionsToken(name: string = DEFAULT_CONNECTION): string {
  return `warren:options:${name}`;
}

/** Token of a connection's `Broker`: for what the Publisher does not offer. */
export function getBrokerToken(name: string = DEFAULT_CONNECTION): string {
  return `warren:broker:${name}`;
}
