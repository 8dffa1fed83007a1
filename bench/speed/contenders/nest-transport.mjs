// Nest's own RabbitMQ transport: `noAck: false` and a handler that acks, `emit()` and `send()` of its client. Its
// messages are an envelope `{ pattern, data }` around the body.
import { from } from '../packages.mjs';

/**
 * @typedef {import('./bare.mjs').Done} Done
 * @typedef {import('./bare.mjs').Target} Target
 */

const load = from('nest-transport');
await load('reflect-metadata');
const common = await load('@nestjs/common');
const { Controller, Module } = common;
const { NestFactory } = await load('@nestjs/core');
const { ClientsModule, Ctx, EventPattern, MessagePattern, Payload, Transport } =
  await load('@nestjs/microservices');

const CLIENT = 'SPEED';
const PATTERN = 'speed';
const logger = ['error', 'warn'];

/**
 * Consumers, an RPC server, a publisher and a caller of one application; resolves when all of them are ready.
 *
 * @param {import('./bare.mjs').Roles} roles
 */
export async function open({ url, consume = [], serve, publish, call }) {
  class Handlers {}
  const enhance = consume[0]?.enhanced && (await import('../enhancers.mjs')).enhance;
  consume.forEach(({ route, enhanced, handle }, index) => {
    const take = (/** @type {unknown} */ body, /** @type {any} */ context) => {
      const channel = context.getChannelRef();
      try {
        handle(body);
        channel.ack(context.getMessage());
      } catch {
        channel.nack(context.getMessage(), false, false);
      }
    };
    mark(Handlers, `take${index}`, take, EventPattern(route?.key ?? PATTERN));
    if (enhanced) enhance?.(common, Handlers, `take${index}`, enhanced);
  });
  if (serve) {
    const answer = (/** @type {unknown} */ body, /** @type {any} */ context) => {
      context.getChannelRef().ack(context.getMessage());
      return serve.answer(body);
    };
    mark(Handlers, 'answer', answer, MessagePattern(PATTERN));
  }
  Reflect.decorate([Controller()], Handlers);
  const to = publish ?? call;
  /** @param {Target} target @param {object} more */
  const rmq = ({ queue, queueArguments }, more) => ({
    transport: Transport.RMQ,
    options: { urls: [url], queue, queueOptions: { durable: true, arguments: queueArguments }, ...more },
  });
  class AppModule {}
  Module({
    imports: to
      ? [ClientsModule.register([{ name: CLIENT, ...rmq(to, { persistent: to.persistent }) }])]
      : [],
    controllers: [Handlers],
  })(AppModule);
  const source = consume[0] ?? serve;
  const listens = source && rmq(source, { noAck: false, prefetchCount: source.prefetch });
  const app = source
    ? await NestFactory.createMicroservice(AppModule, { ...listens, logger })
    : await NestFactory.createApplicationContext(AppModule, { logger });
  await app.listen?.();
  const client = to && app.get(CLIENT);
  await client?.connect();
  return {
    /** @param {unknown} body @param {Done} done */
    publish(body, done) {
      client.emit(PATTERN, body).subscribe({ complete: () => done(null), error: done });
    },
    /** @param {unknown} body @param {Done} done */
    call(body, done) {
      client
        .send(PATTERN, body)
        .subscribe({ next: (/** @type {unknown} */ reply) => done(null, reply), error: done });
    },
    close: () => app.close(),
  };
}

/**
 * What the decorators above the method and its parameters do, without a compiler.
 *
 * @param {any} type
 * @param {string} method
 * @param {(...args: any[]) => unknown} handle
 * @param {any} decorator
 */
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
