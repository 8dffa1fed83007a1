// Warren as an application uses it: a Nest application with @Consume and @RpcHandler methods that take one
// @Payload(), and the injected Publisher.
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { Consume, Publisher, RabbitModule, RpcHandler, Subscribe } from '@warren/nestjs';
import { done as told } from '../bodies.mjs';

/** Consumers, an RPC server, a publisher and a caller of one application; resolves when all of them are ready. */
export async function open({ url, consume = [], serve, publish, call, deadline }) {
  class Handlers {}
  consume.forEach(({ queue, route, handle }, index) => {
    const marked = route
      ? Subscribe([route.key], { queue, exchange: { name: route.exchange, type: 'topic' } })
      : Consume(queue);
    mark(Handlers, `take${index}`, (body) => handle(body), marked);
  });
  if (serve) mark(Handlers, 'answer', (body) => serve.answer(body), RpcHandler(serve.queue));
  Reflect.decorate([Injectable()], Handlers);
  class AppModule {}
  Module({
    imports: [
      RabbitModule.forRoot({
        url,
        service: 'speed',
        queueType: 'classic',
        prefetch: consume[0]?.prefetch ?? serve?.prefetch,
        rpc: { timeout: deadline, maxPending: 20_000 },
      }),
    ],
    providers: [Handlers],
  })(AppModule);
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
  const publisher = app.get(Publisher);
  const options = { persistent: publish?.persistent };
  return {
    publish: (body, done) => told(publisher.send(publish.queue, body, options), done),
    call: (body, done, queue = call.queue) => told(publisher.request(queue, body), done),
    close: () => app.close(),
  };
}

// What the decorators above the method and its parameter do, without a compiler.
function mark(type, method, handle, decorator) {
  type.prototype[method] = handle;
  Payload()(type.prototype, method, 0);
  Reflect.decorate(
    [decorator],
    type.prototype,
    method,
    Object.getOwnPropertyDescriptor(type.prototype, method),
  );
}
