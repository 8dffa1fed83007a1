// The door of @warren/amqp: everything an application or a framework may use, and nothing else.

export { Broker } from './broker.js';
export type { BrokerStatus } from './broker/status.js';
export type { ConnectionStatus } from './broker/connections.js';
export { bytes } from './codecs/bytes.js';
export { json } from './codecs/json.js';
export { nest, nestPattern } from './codecs/nest.js';
export { text } from './codecs/text.js';
export { CallerLeftError } from './inbound/calls.js';
export {
  DeadLetters,
  type DeadLettersOptions,
  type DropOptions,
  type LookOptions,
  type ReplayOptions,
} from './desk/dead-letters.js';
export type { DeadLetter, DeadLetterFilter } from './desk/dead-letter.js';
export type { DeadQueue } from './desk/management.js';
export type { DeadLetterProgress, DeadLetterResult, DeadLetterWork } from './desk/rounds.js';
export type { DeskConnection } from './desk/visit.js';
export type { ConsumerStatus } from './inbound/readiness.js';
export type { ConnectionState } from './link/connection.js';
export { systemClock, type Clock } from './model/clock.js';
export type { BrokerCounters } from './model/counters.js';
export type {
  Codec,
  CodecLookup,
  DecodedReply,
  Encoded,
  OutgoingFacts,
  RemoteErrorFacts,
} from './model/codec.js';
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
} from './model/contract.js';
export { Delivery, type DeliveryRun, type DeliverySink } from './model/delivery.js';
export { humanDuration, milliseconds, type Duration } from './model/duration.js';
export {
  ConfigError,
  ConnectionLostError,
  ConnectionRefusedError,
  DecodeError,
  EncodeError,
  ConsumerTimeoutError,
  HandlerTimeoutError,
  RabbitError,
  type DecodeIssue,
  type RefusalReason,
} from './model/errors.js';
export { HEADER, type HeaderMatch } from './model/headers.js';
export type { BrokerInternals } from './model/internals.js';
export { CONSOLE, SILENT, visible, type BrokerLogger } from './model/logger.js';
export type { Headers, MessageProperties, OutgoingMessage, ReceivedMessage } from './model/message.js';
export { BROKER_OPTIONS, checkOptions, HANDLER_OPTIONS, type OptionRow } from './model/option-table.js';
export type {
  BindingOptions,
  BrokerOptions,
  Credentials,
  CredentialsOption,
  DeclareMode,
  ErrorClass,
  ExchangeOption,
  ExchangeOptions,
  FreeBindingOptions,
  GrowingDelays,
  HandlerOptions,
  IdempotentOptions,
  PublishDefaults,
  QueueOptions,
  QueueType,
  ReplyStore,
  RetryOptions,
  RpcOptions,
  StoredReply,
  TlsOptions,
  UrlOption,
} from './model/options.js';
export type { ArrivedMessage, OrderBy } from './model/order-by.js';
export type {
  Gathered,
  GatherOptions,
  PublishOptions,
  PublishReceipt,
  RequestOptions,
  StreamOptions,
} from './model/publish-options.js';
export {
  PublishNackedError,
  PublishOutcomeUnknownError,
  PublishRefusedError,
  PublishTimeoutError,
  UnroutableError,
  WaitingRoomFullError,
} from './model/publish-errors.js';
export { matchesRoutingKey } from './model/routing-key.js';
export {
  RpcCancelledError,
  RpcConnectionLostError,
  RpcNoServerError,
  RpcProtocolError,
  RpcRemoteError,
  RpcNotSentError,
  RpcTimeoutError,
} from './model/rpc-errors.js';
export type { SchemaIssue, SchemaResult, StandardSchema } from './model/schema.js';
export { packageName, type Settings } from './model/settings.js';
export {
  Drop,
  DropSignal,
  OutcomeSignal,
  Reject,
  RejectSignal,
  Retry,
  RetrySignal,
} from './model/signals.js';
export {
  AccessRefusedError,
  QueueLockedError,
  TopologyMismatchError,
  TopologyMissingError,
  type TopologyMismatch,
} from './model/topology-errors.js';
export type { DeadLetterReason, Verdict } from './model/verdict.js';
export { BROKER_EVENT_KINDS, type DiagnosticsMessage } from './observe/diagnostics.js';
export type { BrokerEvent, BrokerEventKind, BrokerEventOf, PublishOutcome } from './observe/events.js';
export type { HandlerRegistration } from './topology/handler-plan.js';
export { deadQueueName } from './topology/schema.js';
export type { TopologyOptions } from './topology/wishes.js';
