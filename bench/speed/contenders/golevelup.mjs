// @golevelup/nestjs-rabbitmq with its defaults: publishes awaited (they are confirmed), an ack for each message,
// `request()` on direct reply-to.
import { done as told } from '../bodies.mjs';
import { from } from '../packages.mjs';

const load = from('golevelup');
await load('reflect-metadata');
const { Injectable, Module } = await load('@nestjs/common');
const { NestFactory } = await load('@nestjs/core');
const { AmqpConnection, RabbitMQModule, RabbitRPC, RabbitSubscribe } = await load(
  '@golevelup/nestjs-rabbitmq',
);

/** Consumers, an RPC server, a publisher and a caller of one application; resolves when all of them are ready. */
export async function open({ url, consume = [], serve, publish, call, deadline }) {
  class Handlers {}
  const queueOptions = { durable: true };
  consume.forEach(({ queue, handle }, index) => {
    mark(Handlers, `take${index}`, (body) => void handle(body), RabbitSubscribe({ queue, queueOptions }));
  });
  if (serve) {
    const { queue, answer } = serve;
    mark(Handlers, 'answer', (body) => answer(body), RabbitRPC({ queue, routingKey: queue, queueOptions }));
  }
  Reflect.decorate([Injectable()], Handlers);
  class AppModule {}
  Module({
    imports: [
      RabbitMQModule.forRoot({
        uri: url,
        prefetchCount: consume[0]?.prefetch ?? serve?.prefetch,
        defaultRpcTimeout: deadline,
      }),
    ],
    providers: [Handlers],
  })(AppModule);
  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
  const connection = app.get(AmqpConnection);
  const options = { persistent: publish?.persistent };
  return {
    publish: (body, done) => told(connection.publish('', publish.queue, body, options), done),
    call: (payload, done, queue = call.queue) =>
      told(connection.request({ exchange: '', routingKey: queue, payload }), done),
    close: () => app.close(),
  };
}

// What the decorator above the method does, without a compiler.
function mark(type, method, handle, decorator) {
  type.prototype[method] = handle;
  Reflect.decorate(
    [decorator],
    type.prototype,
    method,
    Object.getOwnPropertyDescriptor(type.prototype, method),
  );
}
