// Warren as an application uses it: a Nest application with @Consume and @RpcHandler methods that take one
// @Payload(), and the injected Publisher.
import * as common from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { Consume, Publisher, RabbitModule, RpcHandler, Subscribe } from '@warren/nestjs';
import { done as told } from '../bodies.mjs';
import { handlerOptions } from './warren-options.mjs';

/** @typedef {import('./bare.mjs').Done} Done */

const { Injectable, Module } = common;

/**
 * Consumers, an RPC server, a publisher and a caller of one application; resolves when all of them are ready.
 *
 * @param {import('./bare.mjs').Roles} roles
 */
export async function open({ url, consume = [], serve, publish, call, deadline }) {
  class Handlers {}
  const enhance = consume[0]?.enhanced && (await import('../enhancers.mjs')).enhance;
  consume.forEach((each, index) => {
    const { queue, route, enhanced, handle } = each;
    const marked = route
      ? Subscribe([route.key], { queue, exchange: { name: route.exchange, type: 'topic' } })
      : Consume(queue, handlerOptions(each));
    mark(Handlers, `take${index}`, (body) => handle(body), marked);
    if (enhanced) enhance?.(common, Handlers, `take${index}`, enhanced);
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
  // Nobody else logs failures here.
  /** @type {false | ('error' | 'warn')[]} */
  const logger = consume[0]?.fails ? false : ['error', 'warn'];
  const app = await NestFactory.createApplicationContext(AppModule, { logger });
  const publisher = app.get(Publisher);
  const options = { persistent: publish?.persistent };
  return {
    /** @param {unknown} body @param {Done} done */
    publish: (body, done) => told(publisher.send(publish?.queue ?? '', body, options), done),
    /** @param {unknown[]} bodies @param {Done} done */
    publishMany(bodies, done) {
      const list = bodies.map((payload) => ({ target: publish?.queue ?? '', payload }));
      told(publisher.sendMany(list, options), done);
    },
    /** @param {unknown} body @param {Done} done @param {string} [queue] */
    call: (body, done, queue = call?.queue ?? '') => told(publisher.request(queue, body), done),
    /** @param {unknown} body */
    stream: (body) => publisher.stream(call?.queue ?? '', body),
    close: () => app.close(),
  };
}

/**
 * What the decorators above the method and its parameter do, without a compiler.
 *
 * @param {any} type
 * @param {string} method
 * @param {(...args: any[]) => unknown} handle
 * @param {any} decorator
 */
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
