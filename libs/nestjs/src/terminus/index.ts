// The public API of @warren/nestjs/terminus.

export type { ConsumerHealth, ConnectionHealth, RabbitConnectionHealth } from './connection-health.js';
export {
  RabbitHealthIndicator,
  type RabbitHealth,
  type RabbitHealthOptions,
  type RabbitHealthResult,
} from './rabbit-health-indicator.js';
