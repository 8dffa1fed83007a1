// Handlers for callers that use golevelup's module, which reads every body as JSON and knows no errors in answers.
import { Injectable } from '@nestjs/common';
import { Payload, RpcException } from '@nestjs/microservices';
import { json, RpcHandler, Subscribe, type ExchangeOptions } from '@warren/nestjs';
import { Received } from './application.js';

// The exchange that its `exchanges` declare.
const shop: ExchangeOptions = { name: 'shop', type: 'topic' };

@Injectable()
export class QuoteHandlers {
  constructor(private readonly received: Received) {}

  @RpcHandler('price.quote', { exchange: shop, queueType: 'default' })
  quote(@Payload() order: { sku: string }): unknown {
    if (order.sku === 'gone') throw new RpcException({ code: 410, message: 'sold out' });
    return order.sku === 'nothing' ? undefined : { sku: order.sku, cents: 1250 };
  }

  // A text would go out as text, which the caller cannot parse.
  @RpcHandler('price.label', { exchange: shop, queueType: 'default', codec: json })
  label(@Payload() sku: string): string {
    return `label of ${sku}`;
  }

  @Subscribe('order.*', { queue: 'orders', exchange: shop })
  onOrder(@Payload() order: unknown): void {
    this.received.push(order);
  }
}
