// A provider of the application replaced in a test, as docs/testing.md shows it.
// #region override
import { Injectable } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { Consume, RabbitModule } from '@warren/nestjs';
import { RabbitTesting } from '@warren/nestjs/testing';

@Injectable()
class PaymentGateway {
  pay(id: number): string {
    return `paid ${id}`;
  }
}

@Injectable()
class Payments {
  constructor(private readonly gateway: PaymentGateway) {}

  @Consume('payments')
  pay(@Payload() id: number): void {
    console.log(this.gateway.pay(id));
  }
}

const rabbit = await RabbitTesting.start({
  imports: [RabbitModule.forRoot({ service: 'shop' })],
  providers: [Payments, PaymentGateway],
  configure: (builder) =>
    builder.overrideProvider(PaymentGateway).useValue({ pay: (id: number) => `pretended ${id}` }),
});
await rabbit.publisher.send('payments', 7);
await rabbit.idle();
await rabbit.stop();
// #endregion
