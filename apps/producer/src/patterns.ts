// Which class sends in which pattern, and what must exist on the broker for it.
import type { Type } from '@nestjs/common';
import type { TopologyOptions } from '@warren/nestjs';
import type { PatternName } from './command-line.js';
import type { Producer } from './producer.js';
import { DirectProducer } from './patterns/direct.producer.js';
import { FanoutProducer } from './patterns/fanout.producer.js';
import { HeadersProducer } from './patterns/headers.producer.js';
import { RpcProducer } from './patterns/rpc.producer.js';
import { SimpleProducer } from './patterns/simple.producer.js';
import { TopicProducer } from './patterns/topic.producer.js';
import { WorkProducer } from './patterns/work.producer.js';

export const producers: Readonly<Record<PatternName, Type<Producer>>> = {
  simple: SimpleProducer,
  work: WorkProducer,
  fanout: FanoutProducer,
  direct: DirectProducer,
  topic: TopicProducer,
  headers: HeadersProducer,
  rpc: RpcProducer,
};

/**
 * Declared by producer and consumer alike, whoever is first. Exchanges are not durable because those of RabbitMQ's
 * tutorials are not. `simple` and `rpc` declare nothing: without a consumer their message comes back, and is an error.
 */
export function topology(pattern: PatternName, name: string): TopologyOptions {
  switch (pattern) {
    case 'simple':
    case 'rpc':
      return {};
    case 'work':
      // Tasks may be sent before the first worker is there: they wait in the queue, also over a broker restart.
      return { queues: [{ name, queueType: 'classic' }] };
    case 'fanout':
    case 'direct':
    case 'topic':
    case 'headers':
      return { exchanges: [{ name, type: pattern, durable: false }] };
  }
}
