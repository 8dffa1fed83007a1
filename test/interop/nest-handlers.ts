// Handlers for callers that use Nest's own RabbitMQ transport: the codec `nest` reads and writes its envelope.
import { Injectable } from '@nestjs/common';
import { Payload, RpcException } from '@nestjs/microservices';
import {
  Consume,
  nest,
  nestPattern,
  RoutingKey,
  RpcHandler,
  Subscribe,
  type ExchangeOptions,
} from '@warren/nestjs';
import { concat, of, throwError, type Observable } from 'rxjs';
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

// A client with `wildcards` publishes to a topic exchange, and its keys are the patterns.
const topics: ExchangeOptions = { name: 'wild', type: 'topic' };

@Injectable()
export class WildHandlers {
  constructor(private readonly received: Received) {}

  @RpcHandler('price.*', { queue: 'wild', exchange: topics, codec: nest, queueType: 'default' })
  price(@Payload() sku: string, @RoutingKey() key: string): string {
    return `${key} of ${sku}`;
  }

  @Subscribe('order.#', { queue: 'wild.events', exchange: topics, codec: nest, queueType: 'default' })
  onOrder(@Payload() order: unknown): void {
    this.received.push(order);
  }
}

// The handlers of a microservice share its queue; each gets its own pattern.
@Injectable()
export class MarketHandlers {
  constructor(private readonly received: Received) {}

  // The second line goes when the last caller has moved.
  @RpcHandler('market.quote')
  @RpcHandler('quote', { queue: 'market', codec: nestPattern('quote'), queueType: 'default' })
  quote(@Payload() sku: string): string {
    return `quote of ${sku}`;
  }

  @RpcHandler('list', {
    queue: 'market',
    codec: nestPattern({ cmd: 'list', of: 'all' }),
    queueType: 'default',
  })
  list(): string[] {
    return ['a', 'b'];
  }

  @RpcHandler('count', { queue: 'market', codec: nestPattern('count'), queueType: 'default' })
  async *count(@Payload() to: number): AsyncGenerator<number> {
    for (let n = 1; n <= to; n++) yield await Promise.resolve(n);
  }

  @RpcHandler('ticks', { queue: 'market', codec: nestPattern('ticks'), queueType: 'default' })
  ticks(): Observable<string> {
    return of('tick', 'tack', 'tock');
  }

  @RpcHandler('broken', { queue: 'market', codec: nestPattern('broken'), queueType: 'default' })
  broken(): Observable<string> {
    const error = new RpcException({ code: 'HALT', message: 'trading is halted' });
    return concat(
      of('tick', 'tack'),
      throwError(() => error),
    );
  }

  @RpcHandler('endless', { queue: 'market', codec: nestPattern('endless'), queueType: 'default' })
  async *endless(): AsyncGenerator<number> {
    try {
      for (let n = 1; ; n++) yield await Promise.resolve(n);
    } finally {
      this.received.push('endless is over');
    }
  }

  @Consume('market', { codec: nestPattern('closed'), queueType: 'default' })
  closed(@Payload() day: unknown): void {
    this.received.push(day);
  }
}
