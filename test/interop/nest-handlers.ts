// Handlers for callers that use Nest's own RabbitMQ transport: the codec `nest` reads and writes its envelope.
import { Injectable } from '@nestjs/common';
import { Payload, RpcException } from '@nestjs/microservices';
import { Consume, nest, RpcHandler } from '@warren/nestjs';
import { Received } from './application.js';

@Injectable()
export class PriceHandlers {
  // ClientProxy sends every pattern of one client to one queue, so the queue is the name that both sides share.
  @RpcHandler('prices', { codec: nest, queueType: 'default' })
  quote(@Payload() order: { sku: string }): unknown {
    if (order.sku === 'unknown') return undefined;
    if (order.sku === 'free') return null;
    if (order.sku === 'gone') throw new RpcException({ code: 410, message: 'sold out' });
    if (order.sku === 'broken') throw new Error('password is 1234');
    return { sku: order.sku, price: 12.5 };
  }
}

@Injectable()
export class AuditHandlers {
  constructor(private readonly received: Received) {}

  @Consume('audit', { codec: nest, queueType: 'default' })
  note(@Payload() event: unknown): void {
    this.received.push(event);
  }
}
