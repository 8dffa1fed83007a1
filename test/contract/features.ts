// Where the embedded broker differs from RabbitMQ on purpose. Data only: tests ask it which way a check goes,
// and the documentation prints it. Everything that is not named here must behave the same.

export interface BrokerFeature {
  /** Whether the embedded broker has it; RabbitMQ has all of these. */
  readonly embedded: boolean;
  /** What is different, for somebody who chooses between the two. */
  readonly sentence: string;
}

const missing = (sentence: string): BrokerFeature => ({ embedded: false, sentence });

export const features = {
  durability: missing(
    'Without a folder (`data`) nothing is on disk: durable queues and persistent messages are accepted and reported as such, and gone when the broker ends.',
  ),
  restored: missing(
    'What comes back from the folder is marked as redelivered, and its delivery count begins anew; in a stream it has the time of the restart. The messages of x-recent-history are not in the folder.',
  ),
  replication: missing(
    'Quorum queues keep their declaration rules, redelivery count and delivery limit, but there is one copy of a message, in memory.',
  ),
  clustering: missing('There is one node; it joins no cluster and forms none.'),
  streamChunks: missing(
    'Each message of a stream is a chunk of its own; RabbitMQ makes one of what is published together, so that a filter lets more through, "last" can begin earlier, and 3.10 delivers beyond the prefetch.',
  ),
  streamSegments: missing(
    'A segment of a stream is at most a quarter of its length or age limit, because it is in memory, so it frees what is over its limits earlier than RabbitMQ.',
  ),
  streamCrashes: missing(
    'An offset or an age of a stream that cannot be read is refused with 406, as RabbitMQ 4 does with most; where RabbitMQ fails itself, it ends the connection with 541.',
  ),
  transactionRouting: missing(
    'A transaction finds the queues of a message when it is published, and one that is gone at the commit is left out; RabbitMQ 3.10 looks again at the commit, and RabbitMQ 4 ends the connection with 506.',
  ),
  management: missing(
    'The management API has no web pages, no histories of samples, and none of what only Erlang has; its regular expressions are those of JavaScript.',
  ),
  tracing: missing('There is no firehose tracer: nothing is published to amq.rabbitmq.trace.'),
  limits: missing('There are no limits on users and virtual hosts, such as max-connections.'),
  plugins: missing(
    'There are no plugins: no other protocols, no shovel, no federation. The exchange types x-consistent-hash, x-random, x-recent-history and x-delayed-message, which are plugins of RabbitMQ, are always there.',
  ),
  hashChoice: missing(
    'x-consistent-hash and x-modulus-hash keep a key where it is and follow the weights, but which destination a key gets is another one; a weight is at most 1000.',
  ),
  recentHistoryExchanges: missing(
    'x-recent-history gives its last messages to queues that are bound later, not to exchanges.',
  ),
  consumerTimeout: missing(
    'A consumer may hold a message for as long as it likes; RabbitMQ closes its channel after half an hour.',
  ),
  deadLetterRetry: missing(
    'What a quorum queue with x-dead-letter-strategy "at-least-once" cannot route is dropped; RabbitMQ keeps it and tries again every three minutes.',
  ),
  requeueByConsumer: missing(
    'What several consumers or gets of one channel held and gave back at once returns in one step, by age; RabbitMQ returns it consumer by consumer, which can show in what a full priority queue drops first.',
  ),
  deepTables: missing(
    'A field table nested more than 64 levels deep is refused with 502, which closes the connection; RabbitMQ takes it.',
  ),
  countsOfDeadLetters: missing(
    'A dead letter begins its delivery count anew in the next quorum queue; RabbitMQ 4 carries the count on.',
  ),
} as const satisfies Record<string, BrokerFeature>;

/** Name of a difference. */
export type Feature = keyof typeof features;
