// Every name that goes into a trace, once: spans with their kinds, attributes and events. Names that OpenTelemetry defines
// are those of version 1.45.0 of its semantic conventions (messaging, RabbitMQ, RPC); our own begin with `warren.`.

/** The version of the semantic conventions that names are from. */
export const SCHEMA_URL = 'https://opentelemetry.io/schemas/1.45.0';

/** A kind of span. */
export interface SpanRow {
  readonly kind: 'PRODUCER' | 'CONSUMER' | 'CLIENT' | 'SERVER';
  /** Its name: `{destination}` is the template if there is one, else the name of the destination. */
  readonly name: string;
  /** What it is around. */
  readonly about: string;
}

/** All spans. */
export const SPANS = {
  publish: {
    kind: 'PRODUCER',
    name: 'publish {destination}',
    about: 'a publish to an exchange, until the broker has answered',
  },
  send: {
    kind: 'PRODUCER',
    name: 'send {destination}',
    about: 'a send to a queue, until the broker has answered',
  },
  process: {
    kind: 'CONSUMER',
    name: 'process {destination}',
    about: 'one attempt at a message, or at a batch',
  },
  client: {
    kind: 'CLIENT',
    name: '{rpc.method}',
    about: 'a call (request, stream, gather), until it has ended',
  },
  server: {
    kind: 'SERVER',
    name: '{rpc.method}',
    about: 'one attempt at the request of a call, its reply included',
  },
} as const satisfies Record<string, SpanRow>;

/** The key of a span in the table. */
export type SpanKey = keyof typeof SPANS;

/** An attribute. */
export interface AttributeRow {
  /** The spans that can have it. */
  readonly on: readonly SpanKey[];
  /** What it says, and when it is there. */
  readonly about: string;
}

const MESSAGES: readonly SpanKey[] = ['publish', 'send', 'process'];
const ALL: readonly SpanKey[] = [...MESSAGES, 'client', 'server'];
const CALLS: readonly SpanKey[] = ['client', 'server'];
const ATTEMPTS: readonly SpanKey[] = ['process', 'server'];
const PUBLISHES: readonly SpanKey[] = ['publish', 'send'];

/** All attributes of spans. */
export const ATTRIBUTES = {
  'messaging.system.name': { on: MESSAGES, about: '`rabbitmq`' },
  'messaging.operation.name': { on: MESSAGES, about: '`publish`, `send` or `process`' },
  'messaging.operation.type': { on: MESSAGES, about: '`send` or `process`' },
  'messaging.destination.name': {
    on: ALL,
    about: '`exchange:key`, where it is handled `exchange:key:queue`; parts that are empty or equal once',
  },
  'messaging.destination.template': {
    on: MESSAGES,
    about: 'of few values: the key of the event contract, the queue, the pattern of a `broadcast` handler',
  },
  'messaging.destination.temporary': { on: ['process'], about: 'the queue ends with its connection' },
  'rabbitmq.destination.routing_key': { on: ALL, about: 'unless it is empty' },
  'rabbitmq.message.delivery_tag': { on: ATTEMPTS, about: 'not of a batch' },
  'messaging.message.id': { on: ALL, about: 'not of a batch, nor of an `idempotent` call' },
  'messaging.message.conversation_id': {
    on: ALL,
    about: 'the correlation id of the chain, if there is one; never that of a call',
  },
  'messaging.batch.message_count': { on: ['process'], about: 'of a batch' },
  'rpc.system.name': { on: CALLS, about: '`warren`' },
  'rpc.method': { on: CALLS, about: 'the pattern of the handler' },
  'code.function.name': { on: ATTEMPTS, about: 'the handler: `OrderHandlers.place`' },
  'messaging.client.id': { on: ALL, about: 'the connection, as RabbitMQ lists it: `shop:publish`' },
  'server.address': { on: ALL, about: 'the broker, once connected' },
  'server.port': { on: ALL, about: 'the broker, once connected' },
  'network.peer.address': { on: ALL, about: 'IP address of the node or proxy that the connection leads to' },
  'network.peer.port': { on: ALL, about: 'its port' },
  'error.type': { on: ALL, about: 'class of the error, of failures only' },
  'warren.routed': { on: PUBLISHES, about: 'whether a queue got it' },
  'warren.resent': { on: PUBLISHES, about: 'how often it was sent again, unless never' },
  'warren.nacked': { on: PUBLISHES, about: 'how often the broker nacked it before, unless never' },
  'warren.attempt': { on: ATTEMPTS, about: 'from 1; not of a batch' },
  'warren.attempts': { on: ATTEMPTS, about: 'maximum number of attempts' },
  'warren.verdict': {
    on: ATTEMPTS,
    about: '`ack`, `drop`, `retry`, `dead-letter`, `requeue`, `open`; of a batch the worst one',
  },
  'warren.retry.after_ms': { on: ATTEMPTS, about: 'of a retry: time until the next attempt' },
  'warren.dead_letter.reason': { on: ATTEMPTS, about: 'of a dead letter: as in `x-warren-reason`' },
  'warren.dead_letter.queue': { on: ATTEMPTS, about: 'of a dead letter: where it goes, if anywhere' },
  'warren.rpc.timeout_ms': { on: CALLS, about: 'how long the caller waits, as far as that is known' },
  'warren.rpc.items': { on: CALLS, about: 'of a stream: items received or sent; of a gather: replies' },
} as const satisfies Record<string, AttributeRow>;

/** The name of an attribute of the table. */
export type AttributeName = keyof typeof ATTRIBUTES;

/** Attributes of one span; it has none that is undefined. */
export type SpanAttributes = { [Name in AttributeName]?: string | number | boolean | undefined };

/** All events of spans. */
export const EVENTS = {
  exception: 'what failed, with `exception.type`, `exception.message` and `exception.stacktrace`',
  'warren.rpc.cancelled': 'the caller no longer waits',
  'warren.rpc.deadline_exceeded': 'the time of the call, or of its handler, was over',
  'warren.batch.failed': 'one message of a batch: `messaging.message.id`, `warren.verdict`, `error.type`',
} as const;

/** The attribute of links that says what is linked: `created` (the publish) or `attempt` (the one before). */
export const LINK = 'warren.link';

/** `exchange:key:queue` without what is empty or said before. */
export function destinationName(exchange: string, key: string, queue = ''): string {
  const name = exchange === '' || key === '' ? exchange + key : `${exchange}:${key}`;
  if (queue === '' || queue === key) return name === '' ? 'amq.default' : name;
  return name === '' ? queue : `${name}:${queue}`;
}
