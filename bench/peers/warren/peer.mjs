// Warren in the same dress as the others, so that the same program runs all three. Its defaults are kept; what is
// set is what the harness sets for everybody: heartbeat, prefetch, names, and the type of the queue.
import 'reflect-metadata';
import { HttpException, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload, RpcException } from '@nestjs/microservices';
import { Consume, Publisher, RabbitModule, RpcHandler } from '@warren/nestjs';

/** What handlers may throw. */
export const exceptions = { HttpException, RpcException };

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
    async take(body, { attempt, redelivered }) {
      await handle(body, { attempt, redelivered });
    }
  }
  const { exchange, key, queueType } = settings;
  const bindings = [{ exchange: { name: exchange, type: 'topic' }, key }];
  mark(Numbered, 'take', Consume(settings.queue, { bindings, queueType, retry: settings.retry }));
  return start(settings, [Numbered]);
}

/** Answers with what `handle(body)` returns; `settings.calls` adds what only some systems have. */
export async function rpcServer(settings, handle, items) {
  let publisher;
  const call = (payload, timeout) => publisher.request(settings.queue, payload, { timeout });
  class Answers {
    answer(body, context) {
      return handle(body, { signal: context.signal, call });
    }
    items(body) {
      return items(body);
    }
  }
  const { queue, errors } = settings;
  mark(Answers, 'answer', RpcHandler(queue, { errors }));
  if (settings.calls) {
    mark(Answers, 'items', RpcHandler(`${queue}.items`));
    const more = {
      timed: { timeout: 500 },
      skip: { ifCallerGone: 'skip' },
      once: { idempotent: { ttl: '1m' } },
    };
    for (const [name, options] of Object.entries({ ...more, all: { broadcast: true } })) {
      Answers.prototype[name] = function (body, context) {
        return this.answer(body, context);
      };
      mark(Answers, name, RpcHandler(`${queue}.${name}`, options));
    }
  }
  const app = await start(settings, [Answers]);
  publisher = app.get(Publisher);
  return app;
}

/** Calls with the library's own timeout. */
export async function rpcClient(settings) {
  const app = await start(settings, []);
  const publisher = app.get(Publisher);
  return {
    call: (payload, timeout, { at, ...options } = {}) =>
      publisher.request(at ? `${settings.queue}.${at}` : settings.queue, payload, {
        timeout,
        errors: settings.errors,
        ...options,
      }),
    stream: (payload, options) => publisher.stream(`${settings.queue}.items`, payload, options),
    gather: (payload, timeout) => publisher.gather(`${settings.queue}.all`, payload, { timeout, expect: 3 }),
    close: () => app.close(),
  };
}

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
  Ctx()(type.prototype, method, 1);
  Reflect.decorate([decorator], type.prototype, method, descriptor);
  Reflect.decorate([Injectable()], type);
}
