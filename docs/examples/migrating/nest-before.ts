// A shop and its till on Nest's own RabbitMQ transport: the starting point of the migration guide.
// #region server
import 'reflect-metadata';
import { Controller, Inject, Injectable, Module, type INestMicroservice } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientProxy,
  ClientsModule,
  Ctx,
  EventPattern,
  MessagePattern,
  type MicroserviceOptions,
  Payload,
  RmqContext,
  RpcException,
  Transport,
} from '@nestjs/microservices';
import { firstValueFrom, lastValueFrom, of, timeout, toArray, type Observable } from 'rxjs';

@Controller()
export class Shop {
  readonly orders: unknown[] = [];

  @MessagePattern('price.quote')
  quote(@Payload() sku: string, @Ctx() context: RmqContext): number {
    settle(context);
    if (sku === 'gone') throw new RpcException({ code: 410, message: 'sold out' });
    return sku.length * 10;
  }

  @MessagePattern('price.watch')
  watch(@Payload() sku: string, @Ctx() context: RmqContext): Observable<number> {
    settle(context);
    return of(sku.length * 10, sku.length * 9, sku.length * 8);
  }

  @EventPattern<string>('order.placed')
  onOrder(@Payload() order: { sku: string }, @Ctx() context: RmqContext): void {
    this.orders.push(order);
    settle(context);
  }
}

function settle(context: RmqContext): void {
  const channel = context.getChannelRef() as { ack(message: unknown): void };
  channel.ack(context.getMessage());
}

@Module({ controllers: [Shop] })
class ShopModule {}

export async function serve(): Promise<INestMicroservice> {
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(ShopModule, {
    transport: Transport.RMQ,
    options: {
      urls: [process.env.RABBITMQ_URL ?? 'amqp://localhost'],
      queue: 'shop',
      queueOptions: { durable: true },
      prefetchCount: 32,
      noAck: false,
    },
  });
  await app.listen();
  return app;
}
// #endregion

// #region client
@Injectable()
export class Till {
  constructor(@Inject('SHOP') private readonly shop: ClientProxy) {}

  async quote(sku: string): Promise<string> {
    try {
      const cents = await firstValueFrom(this.shop.send<number>('price.quote', sku).pipe(timeout(1_000)));
      return `${sku} costs ${cents}`;
    } catch (error) {
      return `no ${sku}: ${(error as Error).message}`;
    }
  }

  watch(sku: string): Promise<number[]> {
    return lastValueFrom(this.shop.send<number>('price.watch', sku).pipe(toArray()));
  }

  async place(sku: string): Promise<void> {
    await lastValueFrom(this.shop.emit('order.placed', { sku }), { defaultValue: undefined });
  }
}

@Module({
  imports: [
    ClientsModule.register([
      {
        name: 'SHOP',
        transport: Transport.RMQ,
        options: {
          urls: [process.env.RABBITMQ_URL ?? 'amqp://localhost'],
          queue: 'shop',
          queueOptions: { durable: true },
          persistent: true,
        },
      },
    ]),
  ],
  providers: [Till],
})
export class TillModule {}
// #endregion
