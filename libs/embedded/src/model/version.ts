// What differs between the versions of RabbitMQ that the broker can imitate, in one table. Each row was seen on the real
// thing: test/contract runs on both.

import { PROTOCOL_HEADER } from '../wire/frames.js';

/** Which RabbitMQ an embedded broker imitates: 3.10, or 4 as it is in 4.3. */
export type RabbitMQVersion = '3.10' | '4';

export interface VersionTraits {
  /** What the broker says its version is. */
  readonly number: string;
  /** Default for the largest message body, in bytes. */
  readonly maxMessageSize: number;
  /** The smallest frame that may be agreed, in bytes. */
  readonly minFrame: number;
  /** First bytes of a connection that are welcome, in Latin-1. */
  readonly greetings: readonly string[];
  /** What any other first bytes are answered with. */
  readonly refusal: string;
  readonly mechanisms: string;
  /** Reply code for an exchange type that is not there. */
  readonly unknownType: 406 | 503;
  /** Whether the type of a queue is compared like a flag: `received 'quorum' but current is 'classic'`. */
  readonly comparesTypes: boolean;
  /** Whether x-queue-mode must have a known value. */
  readonly checksModes: boolean;
  /** `#` in one topic pattern. */
  readonly maxHashes: number;
  /** Whether headers match by type as well: 5 is not 5.0, and a time is a number of milliseconds. */
  readonly typedHeaders: boolean;
  /** Whether a prefetch can be for the whole channel; else `global` is one for each consumer. */
  readonly channelPrefetch: boolean;
  /** Whether a mandatory answer to a direct reply address comes back although it is delivered. */
  readonly returnsReplies: boolean;
  /** Whether the broker itself remembers the deaths of a message; else it reads them from its headers. */
  readonly remembersDeaths: boolean;
  /** Levels above 0 of a quorum queue, and the one of a message without a priority. */
  readonly quorumPriorities: { readonly most: number; readonly usual: number };
  /** Delivery limit of a quorum queue that was declared without one, or with a negative one. */
  readonly deliveryLimit: { readonly usual: number; readonly negative: number };
  /** Whether what a client gives back to a quorum queue without a limit goes behind all others. */
  readonly returnsToTail: boolean;
  /** Whether a nack and a recover leave the delivery count as it is, and `x-acquired-count` counts every return. */
  readonly countsAcquired: boolean;
  /** Whether the single active consumer of a quorum queue gives way to one of higher priority; else the first is the next. */
  readonly obeysPriorities: boolean;
  /** How the refusal of basic.get names the type of a quorum queue. */
  readonly quorumInText: string;
  /** Whether basic.get tells the delivery count of a quorum queue also when it is 0. */
  readonly tellsNoDeliveries: boolean;
  /** Whether consumers of a stream can filter, give back what they got, and ages of streams are compared as such. */
  readonly filtersStreams: boolean;
  /** Whether there are exchanges of the types x-local-random and x-modulus-hash. */
  readonly localRandom: boolean;
  /** Whether a refusal says which permission is missing. */
  readonly namesPermission: boolean;
  /** Whether a passive declare needs one of the three permissions. */
  readonly guardsPassive: boolean;
  /** Whether policies can be for one type of queues, operators can set more, and a negative delivery limit is none. */
  readonly policiesSince4: boolean;
}

const MIB = 1024 * 1024;
const AMQP_0_9_1 = PROTOCOL_HEADER.toString('latin1');
const AMQP_0_9 = 'AMQP\x01\x01\0\x09';

export const VERSIONS: Readonly<Record<RabbitMQVersion, VersionTraits>> = {
  '3.10': {
    number: '3.10.8',
    maxMessageSize: 128 * MIB,
    minFrame: 4096,
    greetings: [AMQP_0_9_1, AMQP_0_9, 'AMQP\x01\x01\x08\0', 'AMQP\x01\x01\x09\x01'],
    refusal: AMQP_0_9_1,
    mechanisms: 'PLAIN AMQPLAIN',
    unknownType: 503,
    comparesTypes: false,
    checksModes: true,
    maxHashes: Infinity,
    typedHeaders: false,
    channelPrefetch: true,
    returnsReplies: true,
    remembersDeaths: false,
    quorumPriorities: { most: 0, usual: 0 },
    deliveryLimit: { usual: Infinity, negative: -1 },
    returnsToTail: true,
    countsAcquired: false,
    obeysPriorities: false,
    quorumInText: 'quorum',
    tellsNoDeliveries: true,
    filtersStreams: false,
    localRandom: false,
    namesPermission: false,
    guardsPassive: false,
    policiesSince4: false,
  },
  '4': {
    number: '4.3.6',
    maxMessageSize: 16 * MIB,
    minFrame: 8192,
    greetings: [AMQP_0_9_1, AMQP_0_9],
    refusal: 'AMQP\x03\x01\0\0',
    mechanisms: 'PLAIN AMQPLAIN ANONYMOUS',
    unknownType: 406,
    comparesTypes: true,
    checksModes: false,
    maxHashes: 2,
    typedHeaders: true,
    channelPrefetch: false,
    returnsReplies: false,
    remembersDeaths: true,
    quorumPriorities: { most: 31, usual: 4 },
    deliveryLimit: { usual: 20, negative: Infinity },
    returnsToTail: false,
    countsAcquired: true,
    obeysPriorities: true,
    quorumInText: '<<"quorum">>',
    tellsNoDeliveries: false,
    filtersStreams: true,
    localRandom: true,
    namesPermission: true,
    guardsPassive: true,
    policiesSince4: true,
  },
};
