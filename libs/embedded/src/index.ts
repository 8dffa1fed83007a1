// The public API of @warren/embedded.
export { BrokerPolicies, type BrokerPolicy } from './broker-policies.js';
export { BrokerUsers, type NewUser } from './broker-users.js';
export { BrokerClock, type AdvanceOptions } from './broker-clock.js';
export { BrokerFaults, type Fault, type RunningChaos } from './broker-faults.js';
export type { Span } from './duration.js';
export { MovableClock } from './model/movable-clock.js';
export { EmbeddedBroker, type EmbeddedBrokerOptions } from './embedded-broker.js';
export type { Permissions, TopicPermissions } from './model/grants.js';
export type { PolicyDefinition, PolicyTarget } from './model/policy.js';
export type { RabbitMQVersion } from './model/version.js';
export type { ExportedDefinitions } from './server/definitions-export.js';
export type {
  ChaosAction,
  ChaosFault,
  ChaosOptions,
  ConnectionMatch,
  ConsumerMatch,
} from './server/faults/fault-command.js';
export type { BrokerTls } from './server/tls.js';
export type { PublishMatch } from './server/faults/publish-faults.js';
export type { BrokerLogger } from './server/server-context.js';
export type {
  BindingSnapshot,
  BrokerSnapshot,
  ConnectionSnapshot,
  ConsumerSnapshot,
  ExchangeSnapshot,
  QueueSnapshot,
} from './server/inspect.js';
export type { Plain } from './wire/plain.js';
