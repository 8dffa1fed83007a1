// Warren in the same dress as the others, so that the same program runs all three. Its defaults are kept; what is
// set is what the harness sets for everybody: heartbeat, prefetch, names, and the type of the queue.
import 'reflect-metadata';
import { HttpException, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload, RpcException } from '@nestjs/microservices';
import { Consume, Publisher, RabbitModule, RpcHandler } from '@warren/nestjs';

/**
 * @typedef {import('../program.mjs').Settings} Settings
 * @typedef {import('@warren/nestjs').RabbitContext} RabbitContext
 */

/** What handlers may throw. */
export const exceptions = { HttpException, RpcException };

/**
 * Publishes to the exchange; the promise is that of the library.
 *
 * @param {Settings} settings
 */
export async function producer(settings) {
  const app = await start(settings, []);
  const publisher = app.get(Publisher);
  return {
    // Bad inputs have options that the types do not allow.
    /** @param {unknown} body @param {any} [options] */
    publish: (body, { exchange = settings.exchange, key = settings.key, ...options } = {}) =>
      publisher.publish(key, body, { exchange, ...options }),
    close: () => app.close(),
  };
}

/**
 * Runs `handle(body)` for each message of the queue.
 *
 * @param {Settings} settings
 * @param {(body: unknown, about: import('../program.mjs').About) => Promise<void>} handle
 */
export function consumer(settings, handle) {
  class Numbered {
    /** @param {unknown} body @param {RabbitContext} context */
    async take(body, { attempt, redelivered }) {
      await handle(body, { attempt, redelivered });
    }
  }
  const { exchange, key, queueType } = settings;
  const bindings = [{ exchange: topic(exchange), key }];
  mark(Numbered, 'take', Consume(settings.queue, { bindings, queueType, retry: settings.retry }));
  return start(settings, [Numbered]);
}

/**
 * Answers with what `handle(body)` returns; `settings.calls` adds what only some systems have.
 *
 * @param {Settings} settings
 * @param {(body: unknown, about: Partial<import('../calls/behaviours.mjs').About>) => unknown} handle
 * @param {(body: unknown) => unknown} items
 */
export async function rpcServer(settings, handle, items) {
  /** @type {Publisher} */
  let publisher;
  /** @param {unknown} payload @param {number} timeout */
  const call = (payload, timeout) => publisher.request(settings.queue, payload, { timeout });
  class Answers {
    /** @param {unknown} body @param {RabbitContext} context */
    answer(body, context) {
      return handle(body, { signal: context.signal, call });
    }
    /** @param {unknown} body */
    items(body) {
      return items(body);
    }
  }
  const { queue, errors } = settings;
  mark(Answers, 'answer', RpcHandler(queue, { errors }));
  if (settings.calls) {
    mark(Answers, 'items', RpcHandler(`${queue}.items`));
    /** @type {Record<string, import('@warren/nestjs').NestHandlerOptions>} */
    const more = {
      timed: { timeout: 500 },
      skip: { ifCallerGone: 'skip' },
      once: { idempotent: { ttl: '1m' } },
      all: { broadcast: true },
    };
    for (const [name, options] of Object.entries(more)) {
      /** @this {Answers} @param {unknown} body @param {RabbitContext} context */
      const named = function (body, context) {
        return this.answer(body, context);
      };
      Object.assign(Answers.prototype, { [name]: named });
      mark(Answers, name, RpcHandler(`${queue}.${name}`, options));
    }
  }
  const app = await start(settings, [Answers]);
  publisher = app.get(Publisher);
  return app;
}

/**
 * Calls with the library's own timeout.
 *
 * @param {Settings} settings
 */
export async function rpcClient(settings) {
  const app = await start(settings, []);
  const publisher = app.get(Publisher);
  return {
    /** @param {unknown} payload @param {number} [timeout] @param {{ at?: string }} [options] */
    call: (payload, timeout, { at, ...options } = {}) =>
      publisher.request(at ? `${settings.queue}.${at}` : settings.queue, payload, {
        timeout,
        errors: settings.errors,
        ...options,
      }),
    /** @param {unknown} payload @param {import('@warren/amqp').StreamOptions} options */
    stream: (payload, options) => publisher.stream(`${settings.queue}.items`, payload, options),
    /** @param {unknown} payload @param {number} timeout */
    gather: (payload, timeout) => publisher.gather(`${settings.queue}.all`, payload, { timeout, expect: 3 }),
    close: () => app.close(),
  };
}

/** @param {Settings} settings @param {import('@nestjs/common').Provider[]} providers */
async function start({ url, heartbeat, prefetch, exchange, logger, retryUnknown }, providers) {
  class AppModule {}
  Module({
    imports: [
      RabbitModule.forRoot({
        url,
        service: 'peer',
        heartbeat: heartbeat * 1000,
        prefetch,
        publish: { retryUnknown },
      }),
      RabbitModule.forFeature({ exchanges: [topic(exchange)] }),
    ],
    providers,
  })(AppModule);
  const app = await NestFactory.createApplicationContext(AppModule, { logger });
  app.enableShutdownHooks(['SIGTERM'], { useProcessExit: true });
  return app;
}

/** @param {string} name */
function topic(name) {
  return { name, type: /** @type {const} */ ('topic') };
}

// What the decorators above the class, its method and the parameter do, without a compiler.
/** @param {new () => object} type @param {string} method @param {MethodDecorator} decorator */
function mark(type, method, decorator) {
  const descriptor = Object.getOwnPropertyDescriptor(type.prototype, method);
  Payload()(type.prototype, method, 0);
  Ctx()(type.prototype, method, 1);
  Reflect.decorate([decorator], type.prototype, method, descriptor);
  Reflect.decorate([Injectable()], type);
}
