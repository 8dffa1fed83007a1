// All services and the gateway in one process, each with connections of its own. In production each is a program.
import 'reflect-metadata';
import type { INestApplicationContext, LogLevel } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { GatewayModule } from './gateway.js';
import { OrdersModule } from './orders.js';
import { PaymentsModule } from './payments.js';
import { StockModule } from './stock.js';

const logs: LogLevel[] = ['warn', 'error'];
const all = [StockModule, PaymentsModule, OrdersModule];

export interface Shop {
  /** Where the gateway listens. */
  readonly url: string;
  close(): Promise<void>;
}

/** On RabbitMQ at RABBITMQ_URL; without it the first service starts an embedded broker, which the others use. */
export async function startShop({ port = 0, services = all, logger = logs } = {}): Promise<Shop> {
  const running: INestApplicationContext[] = [];
  for (const service of services)
    running.push(await NestFactory.createApplicationContext(service, { logger }));
  const gateway = await NestFactory.create(GatewayModule, { logger });
  await gateway.listen(port, '127.0.0.1');
  return {
    url: await gateway.getUrl(),
    async close() {
      for (const each of [gateway, ...running]) await each.close();
    },
  };
}
