// Remote procedure call: what the handler returns, or throws, is what the caller gets.
// #region handler
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload, RpcException } from '@nestjs/microservices';
import { Publisher, RabbitModule, RpcHandler, RpcNoServerError, RpcRemoteError } from '@warren/nestjs';

@Injectable()
class Calculator {
  @RpcHandler('rpc_queue', { durable: false })
  fibonacci(@Payload() n: number): number {
    if (!Number.isInteger(n) || n < 0) throw new RpcException('fib(n) needs a whole number from 0 on');
    let [current, next] = [0, 1];
    for (let i = 0; i < n; i++) [current, next] = [next, current + next];
    return current;
  }
}
// #endregion

// #region caller
@Injectable()
class Student {
  constructor(private readonly publisher: Publisher) {}

  async ask(pattern: string, n: number): Promise<string> {
    try {
      const answer = await this.publisher.request<number>(pattern, n, { timeout: '5s' });
      return `fib(${n}) = ${answer}`;
    } catch (error) {
      if (error instanceof RpcRemoteError) return `refused: ${error.remoteMessage}`;
      if (error instanceof RpcNoServerError) return `nobody serves ${pattern}`;
      throw error;
    }
  }
}
// #endregion

// #region main
@Module({
  imports: [RabbitModule.forRoot({ service: 'tutorial' })],
  providers: [Calculator, Student],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule);
app.enableShutdownHooks();

const student = app.get(Student);
console.log(await student.ask('rpc_queue', 30));
console.log(await student.ask('rpc_queue', -1));
console.log(await student.ask('no_such_queue', 30));
// #endregion
