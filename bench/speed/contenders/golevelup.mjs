// @golevelup/nestjs-rabbitmq with its defaults: publishes awaited (they are confirmed), an ack for each message,
// `request()` on direct reply-to.
import { done as told } from '../bodies.mjs';
import { from } from '../packages.mjs';

/** @typedef {import('./bare.mjs').Done} Done */

const load = from('golevelup');
await load('reflect-metadata');
const common = await load('@nestjs/common');
const { Injectable, Module } = common;
const { NestFactory } = await load('@nestjs/core');
const { AmqpConnection, Nack, RabbitMQModule, RabbitPayload, RabbitRPC, RabbitSubscribe } = await load(
  '@golevelup/nestjs-rabbitmq',
);

/**
 * Consumers, an RPC server, a publisher and a caller of one application; resolves when all of them are ready.
 *
 * @param {import('./bare.mjs').Roles} roles
 */
export async function open({ url, consume = [], serve, publish, call, deadline }) {
  class Handlers {}
  const queueOptions = { durable: true };
  const enhance = consume[0]?.enhanced && (await import('../enhancers.mjs')).enhance;
  consume.forEach((each, index) => {
    const { queue, queueArguments, batch, enhanced } = each;
    const batchOptions = batch && { size: batch.size, timeout: batch.wait };
    const own = { ...queueOptions, arguments: queueArguments };
    const options = { queue, queueOptions: own, ...(batch && { batchOptions }) };
    mark(Handlers, `take${index}`, handlerOf(each), RabbitSubscribe(options));
    if (!enhanced || !enhance) return;
    RabbitPayload()(Handlers.prototype, `take${index}`, 0);
    enhance(common, Handlers, `take${index}`, enhanced);
  });
  if (serve) {
    const { queue, answer } = serve;
    mark(Handlers, 'answer', answer, RabbitRPC({ queue, routingKey: queue, queueOptions }));
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
    /** @param {unknown} body @param {Done} done */
    publish: (body, done) => told(connection.publish('', publish?.queue, body, options), done),
    /** @param {unknown} payload @param {Done} done @param {string} [queue] */
    call: (payload, done, queue = call?.queue ?? '') =>
      told(connection.request({ exchange: '', routingKey: queue, payload }), done),
    close: () => app.close(),
  };
}

/** @param {import('./bare.mjs').Consumer} consumer @returns {(body: unknown) => unknown} */
function handlerOf({ handle, fails }) {
  if (!fails) return (body) => void handle(body);
  return (body) => {
    try {
      handle(body);
    } catch {
      return new Nack(false);
    }
  };
}

/**
 * What the decorator above the method does, without a compiler.
 *
 * @param {any} type
 * @param {string} method
 * @param {(...args: any[]) => unknown} handle
 * @param {any} decorator
 */
function mark(type, method, handle, decorator) {
  type.prototype[method] = handle;
  Reflect.decorate(
    [decorator],
    type.prototype,
    method,
    Object.getOwnPropertyDescriptor(type.prototype, method),
  );
}
