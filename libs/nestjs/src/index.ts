// The public API of @warren/nestjs. What applications need of @warren/amqp comes through it as well, so that
// they install and import one package.

import 'reflect-metadata';

export * from '@warren/amqp';
export { RabbitCoreModule } from './core.module.js';
export { Consume } from './decorators/consume.js';
export type {
  Get,
  HandlerMark,
  NestHandlerOptions,
  OptionsFactory,
  OptionsOrFactory,
} from './decorators/define-handler.js';
export {
  OnRabbitEvent,
  type RabbitEventListener,
  type RabbitEventOptions,
} from './decorators/on-rabbit-event.js';
export { Headers, Message, Properties, RoutingKey } from './decorators/params.js';
export { RabbitBatchContext, RabbitContext } from './decorators/rabbit-context.js';
export { RpcHandler } from './decorators/rpc-handler.js';
export { Subscribe } from './decorators/subscribe.js';
export {
  DEFAULT_CONNECTION,
  type DevelopmentOption,
  type EmbeddedInDevelopment,
  getBrokerToken,
  getRabbitOptionsToken,
  type RabbitFeatureOptions,
  type RabbitModuleAsyncOptions,
  type RabbitModuleOptions,
  type RabbitOptionsFactory,
} from './module-options.js';
export { RabbitModule } from './rabbit.module.js';
export { rpcHttpException, RpcHttpFilter } from './runtime/rpc-http-filter.js';
export { nestLogger, type LogForm } from './runtime/nest-logger.js';
export { getControlToken, RabbitControl } from './runtime/rabbit-control.js';
export { getPublisherToken, InjectPublisher, Publisher } from './runtime/publisher.js';
