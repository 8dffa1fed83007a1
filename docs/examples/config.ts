// Options that come from configuration: forRootAsync, and handlers whose queue is named by it.
// #region async
import { Injectable, Module } from '@nestjs/common';
import { ConfigModule, ConfigService, registerAs } from '@nestjs/config';
import { Payload } from '@nestjs/microservices';
import { Consume, RabbitModule, type RabbitModuleOptions } from '@warren/nestjs';

const rabbitConfig = registerAs('rabbit', (): RabbitModuleOptions => ({
  url: process.env.RABBITMQ_URL,
  service: 'billing',
}));

@Module({
  imports: [
    ConfigModule.forRoot({ isGlobal: true }),
    RabbitModule.forRootAsync(rabbitConfig.asProvider()),
    RabbitModule.forRootAsync({
      name: 'legacy',
      inject: [ConfigService],
      useFactory: (config: ConfigService) => ({ url: config.get<string>('LEGACY_URL') }),
    }),
  ],
})
export class ConfiguredModule {}
// #endregion

// #region handler
@Injectable()
export class OrderHandlers {
  @Consume((get) => ({ queue: get(ConfigService).get<string>('ORDERS_QUEUE') ?? 'orders' }))
  place(@Payload() order: { id: number }): void {
    console.log(order.id);
  }
}
// #endregion
