// Routing: messages carry one word, their severity, and every handler says which words it wants.
// #region handlers
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { Publisher, RabbitModule, RoutingKey, Subscribe } from '@warren/nestjs';

const exchange = { name: 'direct_logs', type: 'direct', durable: false } as const;

@Injectable()
class LogHandlers {
  @Subscribe(['info', 'warning', 'error'], { exchange, broadcast: true, deadLetter: false })
  toScreen(@Payload() line: string, @RoutingKey() severity: string): void {
    console.log(`screen: [${severity}] ${line}`);
  }

  @Subscribe('error', { exchange, broadcast: true, deadLetter: false })
  toDisk(@Payload() line: string): void {
    console.log(`disk: ${line}`);
  }
}
// #endregion

// #region main
@Module({
  imports: [RabbitModule.forRoot({ service: 'tutorial' })],
  providers: [LogHandlers],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule);
app.enableShutdownHooks();

const publisher = app.get(Publisher);
await publisher.publish('info', 'started', { exchange: 'direct_logs' });
await publisher.publish('error', 'disk full', { exchange: 'direct_logs' });
const { routed } = await publisher.publish('debug', 'x = 1', { exchange: 'direct_logs' });
console.log(`did anybody want 'debug'? ${routed}`);
// #endregion
