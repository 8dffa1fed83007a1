// The service `payments`: charges cards. A card whose number ends in 0 is declined.
import { randomUUID } from 'node:crypto';
import { Injectable, Module } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { RabbitModule, RpcHandler } from '@warren/nestjs';
import { CardDeclined, Charge } from './contracts.js';

@Injectable()
export class Payments {
  @RpcHandler(Charge)
  charge(@Payload() { card, cents }: { card: string; cents: number }): { receipt: string } {
    if (card.endsWith('0')) throw new CardDeclined();
    console.log(`payments: ${cents} cents charged`);
    return { receipt: randomUUID() };
  }
}

@Module({
  imports: [RabbitModule.forRoot({ service: 'payments', development: 'embedded' })],
  providers: [Payments],
})
export class PaymentsModule {}
