// Which handler class belongs to which pattern of the command line.
import type { Type } from '@nestjs/common';
import type { PatternName } from './command-line.js';
import { DirectConsumer } from './patterns/direct.consumer.js';
import { FanoutConsumer } from './patterns/fanout.consumer.js';
import { HeadersConsumer } from './patterns/headers.consumer.js';
import { RpcConsumer } from './patterns/rpc.consumer.js';
import { SimpleConsumer } from './patterns/simple.consumer.js';
import { TopicConsumer } from './patterns/topic.consumer.js';
import { WorkConsumer } from './patterns/work.consumer.js';

export const consumers: Readonly<Record<PatternName, Type>> = {
  simple: SimpleConsumer,
  work: WorkConsumer,
  fanout: FanoutConsumer,
  direct: DirectConsumer,
  topic: TopicConsumer,
  headers: HeadersConsumer,
  rpc: RpcConsumer,
};
