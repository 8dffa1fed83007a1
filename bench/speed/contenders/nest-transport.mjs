// Nest's own RabbitMQ transport: `noAck: false` and a handler that acks, `emit()` and `send()` of its client. Its
// messages are an envelope `{ pattern, data }` around the body.
import { from } from '../packages.mjs';

const load = from('nest-transport');
await load('reflect-metadata');
const { Controller, Module } = await load('@nestjs/common');
const { NestFactory } = await load('@nestjs/core');
const { ClientsModule, Ctx, EventPattern, MessagePattern, Payload, Transport } =
  await load('@nestjs/microservices');

const CLIENT = 'SPEED';
const PATTERN = 'speed';
const logger = ['error', 'warn'];

/** Consumers, an RPC server, a publisher and a caller of one application; resolves when all of them are ready. */
export async function open({ url, consume = [], serve, publish, call }) {
  class Handlers {}
  consume.forEach(({ route, handle }, index) => {
    const take = (body, context) => {
      handle(body);
      context.getChannelRef().ack(context.getMessage());
    };
    mark(Handlers, `take${index}`, take, EventPattern(route?.key ?? PATTERN));
  });
  if (serve) {
    const answer = (body, context) => {
      context.getChannelRef().ack(context.getMessage());
      return serve.answer(body);
    };
    mark(Handlers, 'answer', answer, MessagePattern(PATTERN));
  }
  Reflect.decorate([Controller()], Handlers);
  const to = publish ?? call;
  const rmq = (queue, more) => ({
    transport: Transport.RMQ,
    options: { urls: [url], queue, queueOptions: { durable: true }, ...more },
  });
  class AppModule {}
  Module({
    imports: to
      ? [ClientsModule.register([{ name: CLIENT, ...rmq(to.queue, { persistent: to.persistent }) }])]
      : [],
    controllers: [Handlers],
  })(AppModule);
  const source = consume[0] ?? serve;
  const listens = source && rmq(source.queue, { noAck: false, prefetchCount: source.prefetch });
  const app = source
    ? await NestFactory.createMicroservice(AppModule, { ...listens, logger })
    : await NestFactory.createApplicationContext(AppModule, { logger });
  await app.listen?.();
  const client = to && app.get(CLIENT);
  await client?.connect();
  return {
    publish(body, done) {
      client.emit(PATTERN, body).subscribe({ complete: () => done(null), error: done });
    },
    call(body, done) {
      client.send(PATTERN, body).subscribe({ next: (reply) => done(null, reply), error: done });
    },
    close: () => app.close(),
  };
}

// What the decorators above the method and its parameters do, without a compiler.
function mark(type, method, handle, decorator) {
  type.prototype[method] = handle;
  Payload()(type.prototype, method, 0);
  Ctx()(type.prototype, method, 1);
  Reflect.decorate(
    [decorator],
    type.prototype,
    method,
    Object.getOwnPropertyDescriptor(type.prototype, method),
  );
}
