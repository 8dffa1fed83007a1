// The public API of @warren/amqp: everything that an application or a framework may use, and nothing else.

export { Broker } from './broker.js';
export type {
  BrokerStatus,
  ConnectionState,
  ConnectionStatus,
  ConsumerStatus,
  WaitingStatus,
} from './events/broker-status.js';
export type {
  BindingDetails,
  BrokerDetails,
  ExchangeDetails,
  HandlerDetails,
  PendingCallDetails,
  QueueDetails,
  WaitingDetails,
} from './events/broker-details.js';
export type {
  Control,
  ControlOptions,
  EverywhereChange,
  EverywhereResult,
  HandlerControl,
  HandlerState,
  RunNowResult,
} from './control/control.js';
export type { BreakerOptions, ConsumerChange, FlowOptions, Rate } from './options/rate.js';
export { bytes, json, text } from './message/codecs/codecs.js';
export { nest, nestPattern } from './message/codecs/nest.js';
export { CallerLeftError } from './errors/rpc-errors.js';
export {
  DeadLetters,
  type DeadLettersOptions,
  type DropOptions,
  type PeekOptions,
  type ReplayOptions,
} from './dead-letters/dead-letters.js';
export type {
  DeadLetter,
  DeadLetterConnection,
  DeadLetterFilter,
  DeadLetterProgress,
  DeadLetterResult,
  DeadLetterWork,
} from './dead-letters/dead-letter.js';
export type { DeadQueue } from './dead-letters/management.js';
export type {
  Fleet,
  FleetAnswer,
  FleetAnswers,
  FleetAskOptions,
  FleetErrorCode,
  FleetInfo,
  FleetInstance,
} from './fleet/fleet.js';
export type { TracedMessage, TracedStep } from './fleet/journeys.js';
export {
  traceMessage,
  type MessageTrace,
  type TracedInstance,
  type TraceOptions,
} from './fleet/trace-message.js';
export { systemClock, type Clock } from './runtime/clock.js';
export type {
  BrokerCounters,
  BrokerEvent,
  BrokerEventKind,
  BrokerEventOf,
  PausedBy,
  PublishOutcome,
} from './events/events.js';
export type {
  Codec,
  DecodedReply,
  Encoded,
  OutgoingFacts,
  RemoteErrorFacts,
} from './message/codecs/codec.js';
export {
  event,
  eventKey,
  eventParams,
  isContract,
  queue,
  rpc,
  type Contract,
  type EventContract,
  type EventParams,
  type PayloadOf,
  type PublishArguments,
  type QueueContract,
  type RpcContract,
  type SchemaInput,
  type SchemaOutput,
} from './message/contract.js';
export {
  Delivery,
  type DeliveryRun,
  type DeliverySink,
  type DeadLetterReason,
  type Verdict,
} from './message/delivery.js';
export { humanDuration, milliseconds, type Duration } from './options/duration.js';
export {
  ConfigError,
  ConnectionLostError,
  ConnectionRefusedError,
  DecodeError,
  EncodeError,
  ConsumerTimeoutError,
  HandlerTimeoutError,
  PluginError,
  RabbitError,
  type DecodeIssue,
  type RefusalReason,
} from './errors/errors.js';
export { HEADER, type HeaderMatch } from './message/headers.js';
export { type BrokerHooks, packageName, type Settings } from './options/settings.js';
export { CONSOLE, SILENT, visible, type BrokerLogger, type Log } from './runtime/logger.js';
export { logStartFailure } from './errors/error-facts.js';
export type { LogEvent, LogFields, LogLevel } from './runtime/log-events.js';
export type { Headers, MessageProperties, ReceivedMessage } from './message/message.js';
export { BROKER_OPTIONS, checkOptions, HANDLER_OPTIONS, type OptionRow } from './options/option-table.js';
export type {
  Credentials,
  CredentialsOption,
  FleetOptions,
  TlsOptions,
  UrlOption,
} from './options/connection-options.js';
export type {
  BindingOptions,
  BrokerOptions,
  DeclareMode,
  ErrorClass,
  ExchangeOption,
  ExchangeOptions,
  FreeBindingOptions,
  GrowingDelays,
  HandlerOptions,
  IdempotentOptions,
  LogOptions,
  PublishDefaults,
  QueueOptions,
  QueueType,
  ReplyStore,
  RetryOptions,
  RpcOptions,
  StoredReply,
} from './options/options.js';
export type { ArrivedMessage, OrderBy } from './options/order-by.js';
export type {
  Gathered,
  GatherOptions,
  PublishOptions,
  PublishReceipt,
  RequestOptions,
  StreamOptions,
} from './options/publish-options.js';
export type { ListedMessage, MessageList, MessageOutcome } from './options/message-list.js';
export {
  PublishNackedError,
  PublishOutcomeUnknownError,
  PublishRefusedError,
  PublishTimeoutError,
  UnroutableError,
  PublishBufferFullError,
} from './errors/publish-errors.js';
export type {
  BatchNext,
  DeliveryNext,
  FleetHandler,
  FleetQuestion,
  HandlerInfo,
  HandlerPluginOptions,
  MessageChanges,
  Plugin,
  PluginHost,
  PublishContext,
  PublishKind,
  PublishNext,
  PublishResult,
} from './plugins/plugin.js';
export { journal, type Journal, type JournalOptions } from './plugins/journal.js';
export { journeyText } from './plugins/journey-text.js';
export type { AttemptStep, JourneyError, JourneyStep, MessageJourney, SentStep } from './plugins/journey.js';
export { metrics } from './plugins/metrics.js';
export { INSTRUMENTS, prometheusLabel, prometheusName, type Instrument } from './plugins/instruments.js';
export type { Labels, MetricsSink, Sample } from './plugins/metric-series.js';
export { matchesRoutingKey } from './message/routing-key.js';
export {
  RpcCancelledError,
  RpcConnectionLostError,
  RpcNoServerError,
  RpcProtocolError,
  RpcRemoteError,
  RpcNotSentError,
  RpcTimeoutError,
  TooManyPendingCallsError,
} from './errors/rpc-errors.js';
export { tap, type TapOptions, type TappedMessage } from './tap.js';
export type { SchemaIssue, SchemaResult, StandardSchema } from './message/schema.js';
export {
  Drop,
  DropSignal,
  OutcomeSignal,
  Reject,
  RejectSignal,
  Retry,
  RetrySignal,
} from './errors/signals.js';
export {
  AccessRefusedError,
  QueueLockedError,
  TopologyMismatchError,
  TopologyMissingError,
  type TopologyMismatch,
} from './errors/topology-errors.js';
export { BROKER_EVENT_KINDS, type DiagnosticsMessage } from './events/emitter.js';
export type { HandlerRegistration } from './topology/handler-plan.js';
export { deadQueueName } from './topology/specs.js';
export type { TopologyOptions } from './topology/declarations.js';
