// A test that talks to no broker, as docs/testing.md shows it.
// #region test
import { Injectable, Module } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { Consume, getRabbitOptionsToken, Publisher, RabbitModule } from '@warren/nestjs';

@Injectable()
class Checkout {
  constructor(private readonly publisher: Publisher) {}

  async buy(id: number): Promise<void> {
    await this.publisher.publish('order.placed', { id });
  }

  @Consume('orders')
  place(@Payload() order: { id: number }): void {
    console.log(order.id);
  }
}

@Module({ imports: [RabbitModule.forRoot({ service: 'shop' })], providers: [Checkout] })
class ShopModule {}

const published: unknown[] = [];
const app = await Test.createTestingModule({ imports: [ShopModule] })
  .overrideProvider(Publisher)
  .useValue({ publish: (...args: unknown[]) => Promise.resolve(published.push(args)) })
  .overrideProvider(getRabbitOptionsToken())
  .useValue({ consumers: false })
  .compile();
await app.init(); // connects to nothing
await app.get(Checkout).buy(7);
console.log(published.length);
await app.close();
// #endregion
