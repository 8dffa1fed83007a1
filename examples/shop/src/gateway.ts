// The HTTP gateway: no logic of its own. It turns requests into calls, and errors into status codes.
import {
  type ArgumentsHost,
  Body,
  Catch,
  Controller,
  Get,
  HttpException,
  Module,
  Param,
  Post,
  UseFilters,
} from '@nestjs/common';
import { Publisher, RabbitModule, RpcHttpFilter } from '@warren/nestjs';
import { CardDeclined, NoSuchOrder, PlaceOrder, ShowOrder, SoldOut } from './contracts.js';

/** Errors of the contracts that have a status of their own, instead of 422. The others are as the filter does them. */
const statuses = [
  [CardDeclined, 402],
  [NoSuchOrder, 404],
  [SoldOut, 409],
] as const;

@Catch()
export class CallErrors extends RpcHttpFilter {
  override catch(error: unknown, host: ArgumentsHost): void {
    const status = statuses.find(([type]) => error instanceof type)?.[1];
    if (status === undefined) return super.catch(error, host);
    const { message } = error as Error;
    super.catch(new HttpException({ statusCode: status, message }, status, { cause: error }), host);
  }
}

@Controller('orders')
@UseFilters(CallErrors)
export class Gateway {
  constructor(private readonly publisher: Publisher) {}

  @Post()
  place(@Body() order: { sku: string; count: number; card: string }): Promise<{ id: string; cents: number }> {
    return this.publisher.request(PlaceOrder, order, { timeout: '5s' });
  }

  @Get(':id')
  show(@Param('id') id: string): Promise<{ id: string; state: string }> {
    return this.publisher.request(ShowOrder, { id }, { timeout: '5s' });
  }
}

@Module({
  imports: [RabbitModule.forRoot({ service: 'gateway', development: 'embedded' })],
  controllers: [Gateway],
})
export class GatewayModule {}
