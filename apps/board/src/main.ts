// The shop of `npm run demo -- --board`: handlers, customers, board and metrics. The demo starts the broker and this.
import 'reflect-metadata';
import { Controller, Get, Header, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { BoardModule } from '@warren/board';
import { journal, RabbitModule } from '@warren/nestjs';
import { prometheus } from '@warren/nestjs/prometheus';
import { register } from 'prom-client';
import { Customers } from './customers.js';
import { Orders, Payments, Reports, Shipping, Stock } from './handlers.js';

/** An open shop: addresses, and its end. */
export interface Shop {
  readonly board: string;
  /** For Prometheus. */
  readonly metrics: string;
  close(): Promise<void>;
}

@Controller('metrics')
class MetricsController {
  @Get()
  @Header('Content-Type', register.contentType)
  all(): Promise<string> {
    return register.metrics();
  }
}

/** Opens it on the broker at `url`, whose management API is at `management`. Rejects when that cannot be. */
export async function openShop(url: string, management: string): Promise<Shop> {
  @Module({
    imports: [
      RabbitModule.forRoot({
        url,
        service: 'shop',
        fleet: { control: true },
        plugins: [journal(), prometheus()],
        startupTimeout: '1m',
        shutdown: '2s',
      }),
      // Without `access` and `guards` it is for this machine only, which may do everything here.
      BoardModule.forRoot({ management, rights: ['look', 'replay', 'edit', 'control'] }),
    ],
    controllers: [MetricsController],
    providers: [Orders, Payments, Stock, Shipping, Reports, Customers],
  })
  class ShopModule {}

  // Quiet: what fails on purpose is for the board to show.
  const app = await NestFactory.create(ShopModule, { logger: false, abortOnError: false });
  try {
    await app.listen(0, '127.0.0.1');
  } catch (error) {
    await app.close();
    throw error;
  }
  const address = await app.getUrl();
  return { board: `${address}/warren`, metrics: `${address}/metrics`, close: () => app.close() };
}
