// golevelup's module for RabbitMQ in a Nest 11 application of its own: handlers that answer, and a connection that
// asks and publishes. Set up as its documentation does, with failures that go away instead of round and round.
import { createRequire } from 'node:module';
import type * as golevelup from '@golevelup/nestjs-rabbitmq';
import type * as common11 from '@nestjs/common';
import type * as core11 from '@nestjs/core';
import { Collector, within } from '../support/events.js';
import { closeLater } from './application.js';

const require11 = createRequire(new URL('../nest11/package.json', import.meta.url));
const {
  AmqpConnection,
  MessageHandlerErrorBehavior,
  RabbitMQModule,
  RabbitPayload,
  RabbitRPC,
  RabbitSubscribe,
} = require11('@golevelup/nestjs-rabbitmq') as typeof golevelup;
const { Injectable, Module } = require11('@nestjs/common') as typeof common11;
const { NestFactory } = require11('@nestjs/core') as typeof core11;

/** The exchange that both sides name. */
export const EXCHANGE = 'shop';

/** A running application; resolves to its connection, which asks and publishes. */
export async function peer(
  url: string,
  handlers: common11.Type<unknown>[] = [],
): Promise<golevelup.AmqpConnection> {
  @Module({
    imports: [
      RabbitMQModule.forRoot({
        uri: url,
        exchanges: [{ name: EXCHANGE, type: 'topic' }],
        defaultSubscribeErrorBehavior: MessageHandlerErrorBehavior.NACK,
        logger: silent,
      }),
    ],
    providers: handlers,
  })
  class PeerModule {}
  const app = await within(
    NestFactory.createApplicationContext(PeerModule, { logger: false }),
    "golevelup's application to start",
  );
  closeLater(() => app.close());
  return app.get(AmqpConnection);
}

const silent = { log: quiet, warn: quiet, error: quiet };

function quiet(): void {}

/** What its subscriber got. */
export const subscribed = new Collector<unknown>('events');

/** Handlers of golevelup that our requests call. */
export function answering(): common11.Type<unknown> {
  @Injectable()
  class Answering {
    @RabbitRPC({ exchange: EXCHANGE, routingKey: 'peer.quote', queue: 'peer.quote' })
    quote(@RabbitPayload() order: { sku: string }): unknown {
      if (order.sku === 'nothing') return undefined;
      if (order.sku === 'broken') throw new Error('the caller will not learn this');
      return order.sku === 'list' ? [1, 'two', null] : { sku: order.sku, cents: 1250 };
    }

    @RabbitSubscribe({ exchange: EXCHANGE, routingKey: 'peer.noted', queue: 'peer.noted' })
    note(@RabbitPayload() event: unknown): void {
      subscribed.push(event);
    }
  }
  return Answering;
}
