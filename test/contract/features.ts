// Intentional differences between the embedded broker and RabbitMQ, as data: tests read it to know what to expect, and
// the documentation prints it. Everything else must behave the same.

export interface BrokerFeature {
  /** Whether the embedded broker has it; RabbitMQ has all of these. */
  readonly embedded: boolean;
  /** The difference, for a reader who chooses between the two. */
  readonly sentence: string;
  /** The reason. */
  readonly reason: string;
  /**
   * The error for a client that uses a missing feature; test/contract/differences.spec.ts provokes each. Undefined where
   * nothing is refused.
   */
  readonly refusal?: string;
}

const missing = <T extends Omit<BrokerFeature, 'embedded'>>(
  feature: T,
): T & { readonly embedded: false } => ({
  embedded: false,
  ...feature,
});

export const features = {
  durability: missing({
    sentence:
      'Without a `data` folder nothing is on disk: durable queues and persistent messages are accepted and reported as such, but lost when the broker stops.',
    reason: 'Tests need a broker that is empty when it starts and leaves no files behind.',
  }),
  restored: missing({
    sentence:
      'After a restart, messages are marked as redelivered and their delivery count is 0. The messages of x-recent-history are not in the folder.',
    reason: 'Each delivery would have to be written to disk.',
  }),
  replication: missing({
    sentence:
      'Quorum queues keep their declaration rules, delivery count and delivery limit, but there is one copy of each message, in memory.',
    reason: 'It is one process.',
  }),
  clustering: missing({
    sentence: 'There is a single node; it cannot join or form a cluster.',
    reason: 'It is one process.',
  }),
  streamChunks: missing({
    sentence:
      'Each message of a stream is a separate chunk. RabbitMQ puts messages that are published together into one chunk, so a filter lets more messages through, "last" can begin earlier, and 3.10 delivers beyond the prefetch.',
    reason: 'The chunks of RabbitMQ depend on timing; tests need the same result each time.',
  }),
  streamSegments: missing({
    sentence:
      'A segment of a stream is at most a quarter of its length or age limit, so messages over the limit are freed earlier than on RabbitMQ.',
    reason: 'Segments are in memory, and a segment of RabbitMQ has 500 MB by default.',
  }),
  streamCrashes: missing({
    sentence:
      'An invalid offset or age of a stream is refused with 406, as RabbitMQ 4 does for most of them; for the others RabbitMQ has an internal error and closes the connection with 541.',
    reason: 'There is no use in copying an internal error.',
    refusal: '406 PRECONDITION_FAILED',
  }),
  transactionRouting: missing({
    sentence:
      'A transaction routes a message when it is published, and skips queues that are deleted before the commit; RabbitMQ 3.10 routes again at the commit, and RabbitMQ 4 closes the connection with 506.',
    reason: 'The two versions differ, and 506 is an internal error of RabbitMQ.',
  }),
  management: missing({
    sentence:
      'The management API has no web pages, no sample histories and no Erlang figures; regular expressions are those of JavaScript.',
    reason: 'It is for programs.',
    refusal: '404',
  }),
  tracing: missing({
    sentence: 'There is no firehose tracer: nothing is published to amq.rabbitmq.trace.',
    reason: '`inspect()` and the management API show the state of the broker.',
    refusal: '400 the embedded broker has no tracing',
  }),
  limits: missing({
    sentence: 'There are no limits on users and virtual hosts, such as max-connections.',
    reason: 'It is used by one developer, and it has a memory limit.',
    refusal: '400 the embedded broker has no limits on users and virtual hosts',
  }),
  plugins: missing({
    sentence:
      'There are no plugins: no other protocols, no shovel, no federation. The exchange types x-consistent-hash, x-random, x-recent-history and x-delayed-message, which are plugins of RabbitMQ, are always available.',
    reason: 'They connect brokers, or are not AMQP 0-9-1.',
    refusal: '400 the embedded broker has no parameters of plugins',
  }),
  hashChoice: missing({
    sentence:
      'x-consistent-hash and x-modulus-hash always send a key to the same destination, according to the weights, but to a different one than RabbitMQ; a weight is at most 1000.',
    reason: 'RabbitMQ hashes Erlang terms.',
    refusal: '406 PRECONDITION_FAILED - The binding key must be at most 1000',
  }),
  recentHistoryExchanges: missing({
    sentence: 'x-recent-history sends its last messages to queues that are bound later, not to exchanges.',
    reason: 'There was no use for it.',
  }),
  consumerTimeout: missing({
    sentence: 'A consumer may hold a message without a limit; RabbitMQ closes its channel after 30 minutes.',
    reason: 'A developer may stop in a debugger for longer.',
  }),
  deadLetterRetry: missing({
    sentence:
      'A quorum queue with x-dead-letter-strategy "at-least-once" drops dead letters that cannot be routed; RabbitMQ keeps them and tries again every three minutes.',
    reason: 'The queue would hold messages that no client can see.',
  }),
  requeueByConsumer: missing({
    sentence:
      'Messages that several consumers or gets of one channel return at once are requeued in one step, by age. RabbitMQ requeues them consumer by consumer, which can change what a full priority queue drops first.',
    reason: 'The order of consumers on RabbitMQ is not documented.',
  }),
  deepTables: missing({
    sentence:
      'A field table nested more than 64 levels deep is refused with 502, which closes the connection; RabbitMQ accepts it.',
    reason: 'A client could overflow the stack.',
    refusal: '502 SYNTAX_ERROR',
  }),
  unreadableProperties: missing({
    sentence:
      'A message whose properties cannot be read is refused with 502, which closes the connection; RabbitMQ has an internal error and closes it with 541.',
    reason: 'There is no use in copying an internal error.',
    refusal: '502 SYNTAX_ERROR',
  }),
  countsOfDeadLetters: missing({
    sentence:
      'The delivery count of a dead letter starts at 0 in the next quorum queue; RabbitMQ 4 continues it.',
    reason:
      'RabbitMQ 3.10 starts at 0, and with a limit the next queue would drop messages that it never delivered.',
  }),
} as const satisfies Record<string, BrokerFeature>;

/** Name of a difference. */
export type Feature = keyof typeof features;
