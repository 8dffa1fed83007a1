// A test of what a handler does when the broker fails, as docs/testing.md shows it.
// #region test
import { Injectable } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { Consume, Publisher, PublishNackedError, RabbitModule } from '@warren/nestjs';
import { RabbitTesting } from '@warren/nestjs/testing';

@Injectable()
class Orders {
  readonly kept: number[] = [];

  constructor(private readonly publisher: Publisher) {}

  @Consume('orders')
  async place(@Payload() order: { id: number }): Promise<void> {
    try {
      await this.publisher.publish('order.placed', order);
    } catch (error) {
      if (!(error instanceof PublishNackedError)) throw error;
      this.kept.push(order.id); // to be published later
    }
  }
}

const rabbit = await RabbitTesting.start({
  imports: [RabbitModule.forRoot({ service: 'shop', exchange: 'shop' })],
  providers: [Orders],
  waits: 'real',
});
const refusing = await rabbit.faults.nack({ exchange: 'shop', count: Infinity });
await rabbit.publisher.send('orders', { id: 7 });
await rabbit.advance('1m');
console.log('kept', rabbit.get(Orders).kept.join());

await refusing.end();
await rabbit.faults.cut({ name: 'shop:consume' }); // the consumer loses its connection
await rabbit.publisher.send('orders', { id: 8 });
await rabbit.advance('1m');
console.log('handled', rabbit.handled(Orders, 'place').length);
await rabbit.stop();
// #endregion
