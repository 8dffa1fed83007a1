// Where the embedded broker differs from RabbitMQ on purpose. Data only: tests ask it which way a check goes,
// and the documentation prints it. Everything that is not named here must behave the same.

export interface BrokerFeature {
  /** Whether the embedded broker has it; RabbitMQ has all of these. */
  readonly embedded: boolean;
  /** What is different, for somebody who chooses between the two. */
  readonly sentence: string;
  /** Why it is. */
  readonly reason: string;
  /**
   * What a client is told that asks for what is not there; test/contract/differences.spec.ts provokes each. Undefined where
   * everything that a client can ask for is done, only otherwise.
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
      'Without a folder (`data`) nothing is on disk: durable queues and persistent messages are accepted and reported as such, and gone when the broker ends.',
    reason: 'Tests want a broker that is empty when it starts and leaves nothing behind.',
  }),
  restored: missing({
    sentence:
      'What comes back from the folder is marked as redelivered, and its delivery count begins anew; in a stream it has the time of the restart. The messages of x-recent-history are not in the folder.',
    reason: 'Each delivery would have to be written to the disk.',
  }),
  replication: missing({
    sentence:
      'Quorum queues keep their declaration rules, redelivery count and delivery limit, but there is one copy of a message, in memory.',
    reason: 'It is one process.',
  }),
  clustering: missing({
    sentence: 'There is one node; it joins no cluster and forms none.',
    reason: 'It is one process.',
  }),
  streamChunks: missing({
    sentence:
      'Each message of a stream is a chunk of its own; RabbitMQ makes one of what is published together, so that a filter lets more through, "last" can begin earlier, and 3.10 delivers beyond the prefetch.',
    reason: 'What falls into one chunk on RabbitMQ is up to its timing; tests want the same each time.',
  }),
  streamSegments: missing({
    sentence:
      'A segment of a stream is at most a quarter of its length or age limit, because it is in memory, so it frees what is over its limits earlier than RabbitMQ.',
    reason: 'A segment of RabbitMQ has 500 MB by default, which is too much memory.',
  }),
  streamCrashes: missing({
    sentence:
      'An offset or an age of a stream that cannot be read is refused with 406, as RabbitMQ 4 does with most; where RabbitMQ fails itself, it ends the connection with 541.',
    reason: 'A failure of RabbitMQ is not worth repeating.',
    refusal: '406 PRECONDITION_FAILED',
  }),
  transactionRouting: missing({
    sentence:
      'A transaction finds the queues of a message when it is published, and one that is gone at the commit is left out; RabbitMQ 3.10 looks again at the commit, and RabbitMQ 4 ends the connection with 506.',
    reason: 'The two versions do not agree, and 506 is a failure of RabbitMQ.',
  }),
  management: missing({
    sentence:
      'The management API has no web pages, no histories of samples, and none of what only Erlang has; its regular expressions are those of JavaScript.',
    reason: 'It is for programs.',
    refusal: '404',
  }),
  tracing: missing({
    sentence: 'There is no firehose tracer: nothing is published to amq.rabbitmq.trace.',
    reason: '`inspect()` and the management API show what is there.',
    refusal: '400 the embedded broker has no tracing',
  }),
  limits: missing({
    sentence: 'There are no limits on users and virtual hosts, such as max-connections.',
    reason: 'One developer works on it; it has a limit of memory.',
    refusal: '400 the embedded broker has no limits on users and virtual hosts',
  }),
  plugins: missing({
    sentence:
      'There are no plugins: no other protocols, no shovel, no federation. The exchange types x-consistent-hash, x-random, x-recent-history and x-delayed-message, which are plugins of RabbitMQ, are always there.',
    reason: 'They join brokers, or are not AMQP 0-9-1.',
    refusal: '400 the embedded broker has no parameters of plugins',
  }),
  hashChoice: missing({
    sentence:
      'x-consistent-hash and x-modulus-hash keep a key where it is and follow the weights, but which destination a key gets is another one; a weight is at most 1000.',
    reason: 'The hash of RabbitMQ is that of Erlang terms.',
    refusal: '406 PRECONDITION_FAILED - The binding key must be at most 1000',
  }),
  recentHistoryExchanges: missing({
    sentence: 'x-recent-history gives its last messages to queues that are bound later, not to exchanges.',
    reason: 'Nobody asked for it.',
  }),
  consumerTimeout: missing({
    sentence:
      'A consumer may hold a message for as long as it likes; RabbitMQ closes its channel after half an hour.',
    reason: 'A developer stops in a debugger for longer.',
  }),
  deadLetterRetry: missing({
    sentence:
      'What a quorum queue with x-dead-letter-strategy "at-least-once" cannot route is dropped; RabbitMQ keeps it and tries again every three minutes.',
    reason: 'A queue would hold messages that nobody can see.',
  }),
  requeueByConsumer: missing({
    sentence:
      'What several consumers or gets of one channel held and gave back at once returns in one step, by age; RabbitMQ returns it consumer by consumer, which can show in what a full priority queue drops first.',
    reason: 'The order of consumers on RabbitMQ is not documented.',
  }),
  deepTables: missing({
    sentence:
      'A field table nested more than 64 levels deep is refused with 502, which closes the connection; RabbitMQ takes it.',
    reason: 'It would let a client use up the stack.',
    refusal: '502 SYNTAX_ERROR',
  }),
  countsOfDeadLetters: missing({
    sentence:
      'A dead letter begins its delivery count anew in the next quorum queue; RabbitMQ 4 carries the count on.',
    reason: 'RabbitMQ 3.10 begins anew, and with a limit the next queue would drop what it never delivered.',
  }),
} as const satisfies Record<string, BrokerFeature>;

/** Name of a difference. */
export type Feature = keyof typeof features;
