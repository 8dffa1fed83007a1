// Remote procedure call: what the handler returns, or throws, is what the caller gets.
// #region handler
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload, RpcException } from '@nestjs/microservices';
import {
  Publisher,
  RabbitContext,
  RabbitModule,
  RpcCancelledError,
  RpcHandler,
  RpcNoServerError,
  RpcRemoteError,
  RpcTimeoutError,
  type RequestOptions,
} from '@warren/nestjs';
import { setTimeout as pause } from 'node:timers/promises';

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

// #region slow
@Injectable()
class SlowCalculator {
  @RpcHandler('slow_queue', { durable: false })
  async fibonacci(@Payload() n: number, @Ctx() { signal }: RabbitContext): Promise<number> {
    try {
      await pause(60_000, undefined, { signal });
      return n;
    } finally {
      if (signal.aborted) console.log(`fib(${n}) is not worked on any more`);
    }
  }
}
// #endregion

// #region caller
@Injectable()
class Student {
  constructor(private readonly publisher: Publisher) {}

  async ask(pattern: string, n: number, options: RequestOptions = { timeout: '5s' }): Promise<string> {
    try {
      const answer = await this.publisher.request<number>(pattern, n, options);
      return `fib(${n}) = ${answer}`;
    } catch (error) {
      if (error instanceof RpcRemoteError) return `refused: ${error.remoteMessage}`;
      if (error instanceof RpcNoServerError) return `nobody serves ${pattern}`;
      if (error instanceof RpcTimeoutError) return `no fib(${n}) within ${error.waitedMs} ms`;
      if (error instanceof RpcCancelledError) return `fib(${n}) is not needed any more`;
      throw error;
    }
  }
}
// #endregion

// #region main
@Module({
  imports: [RabbitModule.forRoot({ service: 'tutorial' })],
  providers: [Calculator, SlowCalculator, Student],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule);
app.enableShutdownHooks();

const student = app.get(Student);
console.log(await student.ask('rpc_queue', 30));
console.log(await student.ask('rpc_queue', -1));
console.log(await student.ask('no_such_queue', 30));
// #endregion

// #region leaving
console.log(await student.ask('slow_queue', 40, { timeout: '200ms' }));

const controller = new AbortController();
setTimeout(() => controller.abort(), 100);
console.log(await student.ask('slow_queue', 50, { signal: controller.signal }));
// #endregion
