// Warren in the same dress as the others, so that the same program runs all three. Its defaults are kept; what is
// set is what the harness sets for everybody: heartbeat, prefetch, names, and the type of the queue.
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { Consume, Publisher, RabbitModule, RpcHandler } from '@warren/nestjs';

/** Publishes to the exchange; the promise is that of the library. */
export async function producer(settings) {
  const app = await start(settings, []);
  const publisher = app.get(Publisher);
  return {
    publish: (body, { exchange = settings.exchange, key = settings.key, ...options } = {}) =>
      publisher.publish(key, body, { exchange, ...options }),
    close: () => app.close(),
  };
}

/** Runs `handle(body)` for each message of the queue. */
export function consumer(settings, handle) {
  class Numbered {
    async take(body) {
      await handle(body);
    }
  }
  const { exchange, key, queueType } = settings;
  const bindings = [{ exchange: { name: exchange, type: 'topic' }, key }];
  mark(Numbered, 'take', Consume(settings.queue, { bindings, queueType, retry: settings.retry }));
  return start(settings, [Numbered]);
}

/** Answers with what `handle(body)` returns. */
export function rpcServer(settings, handle) {
  class Answers {
    answer(body) {
      return handle(body);
    }
  }
  mark(Answers, 'answer', RpcHandler(settings.queue));
  return start(settings, [Answers]);
}

/** Calls with the library's own timeout. */
export async function rpcClient(settings) {
  const app = await start(settings, []);
  const publisher = app.get(Publisher);
  return {
    call: (payload, timeout) => publisher.request(settings.queue, payload, { timeout }),
    close: () => app.close(),
  };
}

async function start({ url, heartbeat, prefetch, exchange, logger }, providers) {
  class AppModule {}
  Module({
    imports: [
      RabbitModule.forRoot({ url, service: 'peer', heartbeat: heartbeat * 1000, prefetch }),
      RabbitModule.forFeature({ exchanges: [{ name: exchange, type: 'topic' }] }),
    ],
    providers,
  })(AppModule);
  const app = await NestFactory.createApplicationContext(AppModule, { logger });
  app.enableShutdownHooks(['SIGTERM'], { useProcessExit: true });
  return app;
}

// What the decorators above the class, its method and the parameter do, without a compiler.
function mark(type, method, decorator) {
  const descriptor = Object.getOwnPropertyDescriptor(type.prototype, method);
  Payload()(type.prototype, method, 0);
  Reflect.decorate([decorator], type.prototype, method, descriptor);
  Reflect.decorate([Injectable()], type);
}
