// An HTTP gateway in front of services: failed calls are answered with the status that says who can mend them.
import { Controller, Module, Param, Post } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { Publisher, RpcHttpFilter } from '@warren/nestjs';

// #region gateway
@Controller('payments')
export class PaymentsController {
  constructor(private readonly publisher: Publisher) {}

  @Post(':cents')
  pay(@Param('cents') cents: string): Promise<number> {
    return this.publisher.request<number>('pay', { cents: Number(cents) });
  }
}

@Module({
  controllers: [PaymentsController],
  providers: [{ provide: APP_FILTER, useClass: RpcHttpFilter }],
})
export class GatewayModule {}
// #endregion
