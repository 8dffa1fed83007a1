// A test of real handlers on a broker of its own, as docs/embedded-broker.md shows it.
// #region test
import { Injectable } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { Consume, RabbitModule } from '@warren/nestjs';
import { RabbitTesting } from '@warren/nestjs/testing';

@Injectable()
class Orders {
  @Consume('orders')
  place(@Payload() order: { id: number }): void {
    if (order.id < 0) throw new Error('no such order');
  }
}

const rabbit = await RabbitTesting.start({
  imports: [RabbitModule.forRoot({ service: 'shop' })],
  providers: [Orders],
});
await rabbit.publisher.send('orders', { id: 7 });
await rabbit.publisher.send('orders', { id: -1 });
await rabbit.idle(); // nothing is in progress any more, including retries
console.log(rabbit.handled(Orders, 'place').length, rabbit.failed(Orders, 'place').length);
console.log(rabbit.dead('orders').length);
await rabbit.stop(); // fails when a channel, consumer or timer was left open
// #endregion
