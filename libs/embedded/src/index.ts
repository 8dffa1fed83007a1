// The door of @warren/embedded.
export { EmbeddedBroker, type EmbeddedBrokerOptions } from './embedded-broker.js';
export type { RabbitMQVersion } from './model/version.js';
export type { BrokerLogger } from './server/house.js';
export type {
  BindingSnapshot,
  BrokerSnapshot,
  ConnectionSnapshot,
  ConsumerSnapshot,
  ExchangeSnapshot,
  QueueSnapshot,
} from './server/inspect.js';
export type { Plain } from './wire/plain.js';
