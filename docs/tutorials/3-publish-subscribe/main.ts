// Publish/subscribe: a fanout exchange gives every listener its own copy of every message.
// #region handlers
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { Publisher, RabbitModule, Subscribe } from '@warren/nestjs';

const logs = { name: 'logs', type: 'fanout', durable: false } as const;

@Injectable()
class LogHandlers {
  @Subscribe({ bindings: [{ exchange: logs }], broadcast: true, deadLetter: false })
  toScreen(@Payload() line: string): void {
    console.log(`screen: ${line}`);
  }

  @Subscribe({ bindings: [{ exchange: logs }], broadcast: true, deadLetter: false })
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

const { routed } = await app.get(Publisher).publish('', 'info: it works', { exchange: 'logs' });
console.log(`did anybody get it? ${routed}`);
// #endregion
