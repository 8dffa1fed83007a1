// The methods of AMQP 0-9-1 with RabbitMQ's additions, as data: class id, method id, fields in wire order.
// The codec and the types of every handler are derived from this table, so there is nothing to keep in step.

/** What each wire type is in TypeScript. Tables stay raw bytes until somebody needs a value of them. */
export interface WireTypes {
  bit: boolean;
  octet: number;
  short: number;
  long: number;
  longlong: number;
  shortstr: string;
  longstr: Buffer;
  table: Buffer;
}

export type WireType = keyof WireTypes;

const queueFlags = {
  passive: 'bit',
  durable: 'bit',
  exclusive: 'bit',
  autoDelete: 'bit',
  nowait: 'bit',
} as const;
const exchangeFlags = {
  passive: 'bit',
  durable: 'bit',
  autoDelete: 'bit',
  internal: 'bit',
  nowait: 'bit',
} as const;
const closing = { code: 'short', text: 'shortstr', classId: 'short', methodId: 'short' } as const;
const counts = { queue: 'shortstr', messages: 'long', consumers: 'long' } as const;
const exchangeBinding = {
  ticket: 'short',
  destination: 'shortstr',
  source: 'shortstr',
  routingKey: 'shortstr',
  nowait: 'bit',
  arguments: 'table',
} as const;

export const METHODS = {
  'connection.start': [
    10,
    10,
    { major: 'octet', minor: 'octet', properties: 'table', mechanisms: 'longstr', locales: 'longstr' },
  ],
  'connection.start-ok': [
    10,
    11,
    { properties: 'table', mechanism: 'shortstr', response: 'longstr', locale: 'shortstr' },
  ],
  'connection.secure': [10, 20, { challenge: 'longstr' }],
  'connection.secure-ok': [10, 21, { response: 'longstr' }],
  'connection.tune': [10, 30, { channelMax: 'short', frameMax: 'long', heartbeat: 'short' }],
  'connection.tune-ok': [10, 31, { channelMax: 'short', frameMax: 'long', heartbeat: 'short' }],
  'connection.open': [10, 40, { vhost: 'shortstr', capabilities: 'shortstr', insist: 'bit' }],
  'connection.open-ok': [10, 41, { knownHosts: 'shortstr' }],
  'connection.close': [10, 50, closing],
  'connection.close-ok': [10, 51, {}],
  'connection.blocked': [10, 60, { reason: 'shortstr' }],
  'connection.unblocked': [10, 61, {}],
  'connection.update-secret': [10, 70, { secret: 'longstr', reason: 'shortstr' }],
  'connection.update-secret-ok': [10, 71, {}],
  'channel.open': [20, 10, { outOfBand: 'shortstr' }],
  'channel.open-ok': [20, 11, { channelId: 'longstr' }],
  'channel.flow': [20, 20, { active: 'bit' }],
  'channel.flow-ok': [20, 21, { active: 'bit' }],
  'channel.close': [20, 40, closing],
  'channel.close-ok': [20, 41, {}],
  'access.request': [
    30,
    10,
    { realm: 'shortstr', exclusive: 'bit', passive: 'bit', active: 'bit', write: 'bit', read: 'bit' },
  ],
  'access.request-ok': [30, 11, { ticket: 'short' }],
  'exchange.declare': [
    40,
    10,
    { ticket: 'short', exchange: 'shortstr', type: 'shortstr', ...exchangeFlags, arguments: 'table' },
  ],
  'exchange.declare-ok': [40, 11, {}],
  'exchange.delete': [40, 20, { ticket: 'short', exchange: 'shortstr', ifUnused: 'bit', nowait: 'bit' }],
  'exchange.delete-ok': [40, 21, {}],
  'exchange.bind': [40, 30, exchangeBinding],
  'exchange.bind-ok': [40, 31, {}],
  'exchange.unbind': [40, 40, exchangeBinding],
  'exchange.unbind-ok': [40, 51, {}],
  'queue.declare': [50, 10, { ticket: 'short', queue: 'shortstr', ...queueFlags, arguments: 'table' }],
  'queue.declare-ok': [50, 11, counts],
  'queue.bind': [
    50,
    20,
    {
      ticket: 'short',
      queue: 'shortstr',
      exchange: 'shortstr',
      routingKey: 'shortstr',
      nowait: 'bit',
      arguments: 'table',
    },
  ],
  'queue.bind-ok': [50, 21, {}],
  'queue.purge': [50, 30, { ticket: 'short', queue: 'shortstr', nowait: 'bit' }],
  'queue.purge-ok': [50, 31, { messages: 'long' }],
  'queue.delete': [
    50,
    40,
    { ticket: 'short', queue: 'shortstr', ifUnused: 'bit', ifEmpty: 'bit', nowait: 'bit' },
  ],
  'queue.delete-ok': [50, 41, { messages: 'long' }],
  'queue.unbind': [
    50,
    50,
    { ticket: 'short', queue: 'shortstr', exchange: 'shortstr', routingKey: 'shortstr', arguments: 'table' },
  ],
  'queue.unbind-ok': [50, 51, {}],
  'basic.qos': [60, 10, { prefetchSize: 'long', prefetchCount: 'short', global: 'bit' }],
  'basic.qos-ok': [60, 11, {}],
  'basic.consume': [
    60,
    20,
    {
      ticket: 'short',
      queue: 'shortstr',
      consumerTag: 'shortstr',
      noLocal: 'bit',
      noAck: 'bit',
      exclusive: 'bit',
      nowait: 'bit',
      arguments: 'table',
    },
  ],
  'basic.consume-ok': [60, 21, { consumerTag: 'shortstr' }],
  'basic.cancel': [60, 30, { consumerTag: 'shortstr', nowait: 'bit' }],
  'basic.cancel-ok': [60, 31, { consumerTag: 'shortstr' }],
  'basic.publish': [
    60,
    40,
    { ticket: 'short', exchange: 'shortstr', routingKey: 'shortstr', mandatory: 'bit', immediate: 'bit' },
  ],
  'basic.return': [60, 50, { code: 'short', text: 'shortstr', exchange: 'shortstr', routingKey: 'shortstr' }],
  'basic.deliver': [
    60,
    60,
    {
      consumerTag: 'shortstr',
      deliveryTag: 'longlong',
      redelivered: 'bit',
      exchange: 'shortstr',
      routingKey: 'shortstr',
    },
  ],
  'basic.get': [60, 70, { ticket: 'short', queue: 'shortstr', noAck: 'bit' }],
  'basic.get-ok': [
    60,
    71,
    {
      deliveryTag: 'longlong',
      redelivered: 'bit',
      exchange: 'shortstr',
      routingKey: 'shortstr',
      messages: 'long',
    },
  ],
  'basic.get-empty': [60, 72, { clusterId: 'shortstr' }],
  'basic.ack': [60, 80, { deliveryTag: 'longlong', multiple: 'bit' }],
  'basic.reject': [60, 90, { deliveryTag: 'longlong', requeue: 'bit' }],
  'basic.recover-async': [60, 100, { requeue: 'bit' }],
  'basic.recover': [60, 110, { requeue: 'bit' }],
  'basic.recover-ok': [60, 111, {}],
  'basic.nack': [60, 120, { deliveryTag: 'longlong', multiple: 'bit', requeue: 'bit' }],
  'confirm.select': [85, 10, { nowait: 'bit' }],
  'confirm.select-ok': [85, 11, {}],
  'tx.select': [90, 10, {}],
  'tx.select-ok': [90, 11, {}],
  'tx.commit': [90, 20, {}],
  'tx.commit-ok': [90, 21, {}],
  'tx.rollback': [90, 30, {}],
  'tx.rollback-ok': [90, 31, {}],
} as const satisfies Record<string, readonly [number, number, Record<string, WireType>]>;

export type MethodName = keyof typeof METHODS;

type Fields<N extends MethodName> = (typeof METHODS)[N][2];

/** The arguments of a method, by field name. */
export type Args<N extends MethodName> = {
  readonly [F in keyof Fields<N>]: Fields<N>[F] extends WireType ? WireTypes[Fields<N>[F]] : never;
};

/** A decoded method: its name tells which arguments it has. */
export type Method = { [N in MethodName]: { readonly name: N; readonly args: Args<N> } }[MethodName];
