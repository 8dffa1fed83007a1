// @golevelup/nestjs-rabbitmq as its README advises and as a careful user sets it up:
// - `connectionInitOptions: { wait: false }`: boots without a broker, connects and sets up again by itself
// - durable exchange and queue, `defaultPublishOptions: { persistent: true }`, each publish awaited (it is confirmed)
// - `defaultSubscribeErrorBehavior: NACK` and a dead letter queue, since the default REQUEUE loops without end; the
//   same for calls. `careful: false` takes the defaults instead
// - shutdown hooks, so that SIGTERM goes through the library's own close
import 'reflect-metadata';
import {
  AmqpConnection,
  defaultNackErrorHandler,
  MessageHandlerErrorBehavior,
  RabbitMQModule,
  RabbitRPC,
  RabbitSubscribe,
} from '@golevelup/nestjs-rabbitmq';
import { HttpException, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

/** What handlers may throw. */
export const exceptions = { HttpException };

/** Publishes to the exchange; the promise is that of the library. */
export async function producer(settings) {
  const app = await start(settings, []);
  const connection = app.get(AmqpConnection);
  return {
    publish: (body, { exchange = settings.exchange, key = settings.key, ...options } = {}) =>
      connection.publish(exchange, key, body, options),
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
  mark(Numbered, 'take', RabbitSubscribe(subscription(settings)));
  return start(settings, [Numbered]);
}

/** Answers with what `handle(body)` returns. */
export function rpcServer(settings, handle) {
  class Answers {
    answer(body) {
      return handle(body);
    }
  }
  mark(Answers, 'answer', RabbitRPC(subscription(settings)));
  return start(settings, [Answers]);
}

/** Calls with the library's own timeout. */
export async function rpcClient(settings) {
  const app = await start(settings, []);
  const connection = app.get(AmqpConnection);
  return {
    call: (payload, timeout, { at } = {}) =>
      connection.request({
        exchange: settings.exchange,
        routingKey: at ? `${settings.key}.${at}` : settings.key,
        payload,
        timeout,
      }),
    close: () => app.close(),
  };
}

async function start(settings, providers) {
  const careful = settings.careful ?? true;
  class AppModule {}
  Module({
    imports: [
      RabbitMQModule.forRoot({
        uri: settings.url,
        exchanges: [{ name: settings.exchange, type: 'topic', options: { durable: true } }],
        queues: careful ? [{ name: `${settings.queue}.dead`, options: { durable: true } }] : [],
        prefetchCount: settings.prefetch,
        connectionInitOptions: { wait: false },
        connectionManagerOptions: { heartbeatIntervalInSeconds: settings.heartbeat },
        defaultPublishOptions: { persistent: true },
        ...(careful && {
          defaultSubscribeErrorBehavior: MessageHandlerErrorBehavior.NACK,
          defaultRpcErrorHandler: defaultNackErrorHandler,
        }),
      }),
    ],
    providers,
  })(AppModule);
  const app = await NestFactory.createApplicationContext(AppModule, { logger: settings.logger });
  app.enableShutdownHooks(['SIGTERM']);
  return app;
}

function subscription({ exchange, key, queue, queueArguments, careful = true }) {
  const dead = { 'x-dead-letter-exchange': '', 'x-dead-letter-routing-key': `${queue}.dead` };
  return {
    exchange,
    routingKey: key,
    queue,
    queueOptions: { durable: true, arguments: { ...queueArguments, ...(careful && dead) } },
  };
}

// What `@Injectable()` above the class and the decorator above its method do, without a compiler.
function mark(type, method, decorator) {
  const descriptor = Object.getOwnPropertyDescriptor(type.prototype, method);
  Reflect.decorate([decorator], type.prototype, method, descriptor);
  Reflect.decorate([Injectable()], type);
}
