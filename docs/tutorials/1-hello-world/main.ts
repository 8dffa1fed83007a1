// One queue, one sender, one handler: the smallest program that sends a message through RabbitMQ.
// #region handler
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { Consume, Publisher, RabbitModule } from '@warren/nestjs';

@Injectable()
class Receiver {
  @Consume('hello', { durable: false })
  receive(@Payload() text: string): void {
    console.log(`received '${text}'`);
  }
}
// #endregion

// #region module
@Module({
  imports: [RabbitModule.forRoot({ service: 'tutorial' })],
  providers: [Receiver],
})
class AppModule {}
// #endregion

// #region main
const app = await NestFactory.createApplicationContext(AppModule);
app.enableShutdownHooks();

await app.get(Publisher).send('hello', 'Hello World!');
console.log("sent 'Hello World!'");
// #endregion
