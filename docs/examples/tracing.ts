// An application with traces, as docs/observability.md and the page of @warren/opentelemetry show it. What its spans look
// like on the page is what they were in a test.
// #region setup
import { BatchSpanProcessor, NodeTracerProvider, type SpanExporter } from '@opentelemetry/sdk-trace-node';

/** Before the application starts. `exporter`: an OTLPTraceExporter, mostly. */
export function startTracing(exporter: SpanExporter): NodeTracerProvider {
  const provider = new NodeTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter)] });
  provider.register(); // W3C trace context and baggage, kept across await
  return provider;
}
// #endregion

// #region application
import { Injectable, Module } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { Consume, Publisher, RabbitContext, RabbitModule, RpcHandler, Subscribe } from '@warren/nestjs';
import { openTelemetry } from '@warren/opentelemetry';

@Injectable()
export class Orders {
  constructor(private readonly publisher: Publisher) {}

  @Consume('orders')
  async place(@Payload() order: { sku: string }): Promise<void> {
    const price = await this.publisher.request<number>('price.quote', order.sku);
    await this.publisher.publish('order.placed', { ...order, price });
  }

  @RpcHandler('price.quote')
  quote(@Payload() sku: string): number {
    return sku.length * 10;
  }

  @Subscribe('order.placed', { queue: 'invoices', retry: { attempts: 2, delays: ['100ms'], jitter: false } })
  invoice(@Ctx() { attempt }: RabbitContext): void {
    if (attempt === 1) throw new Error('no printer');
  }
}

@Module({
  imports: [RabbitModule.forRoot({ service: 'shop', plugins: [openTelemetry()] })],
  providers: [Orders],
})
export class ShopModule {}
// #endregion
