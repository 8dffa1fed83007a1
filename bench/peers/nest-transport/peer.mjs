// Nest's own RabbitMQ transport (@nestjs/microservices) as its documentation shows and as a careful user sets it up:
// - `noAck: false`, and the handler acks after its work; what failed is nacked without requeue, to a dead letter queue
// - durable queue, `persistent: true`, each emit awaited (it is confirmed), prefetch as for the others
// - the client connects at boot; where that fails it is tried again by the next emit
// - a call has rxjs' `timeout()`, as the documentation advises: the transport itself waits for ever
// - shutdown hooks, so that SIGTERM goes through the transport's own close
import 'reflect-metadata';
import { Controller, HttpException, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  ClientsModule,
  Ctx,
  EventPattern,
  MessagePattern,
  Payload,
  RmqRecordBuilder,
  RpcException,
  Transport,
} from '@nestjs/microservices';
import { from, lastValueFrom, timeout as within } from 'rxjs';

const CLIENT = 'NUMBERED';
const PATTERN = 'numbered';

/** What handlers may throw. */
export const exceptions = { HttpException, RpcException };

/** Emits to the queue; the promise is that of the library. */
export async function producer(settings) {
  const { app, client } = await connect(settings);
  return {
    publish: (body, { pattern = PATTERN, ...options } = {}) => {
      const record =
        Object.keys(options).length === 0 ? body : new RmqRecordBuilder(body).setOptions(options).build();
      return lastValueFrom(client.emit(pattern, record), { defaultValue: undefined });
    },
    close: () => app.close(),
  };
}

/** Runs `handle(body)` for each event of the queue. */
export function consumer(settings, handle) {
  class Numbered {
    async take(body, context) {
      const channel = context.getChannelRef();
      const message = context.getMessage();
      try {
        await handle(body);
      } catch (error) {
        settings.failed?.(error);
        channel.nack(message, false, false);
        return;
      }
      channel.ack(message);
    }
  }
  mark(Numbered, 'take', EventPattern(PATTERN));
  return listen(settings, Numbered);
}

/** Answers with what `handle(body)` returns. */
export function rpcServer(settings, handle, items) {
  class Answers {
    // Acked first: who acks at the end has another server send all items to the same caller once more.
    items(body, context) {
      context.getChannelRef().ack(context.getMessage());
      return from(items(body));
    }
    async answer(body, context) {
      try {
        return await handle(body);
      } finally {
        context.getChannelRef().ack(context.getMessage());
      }
    }
  }
  mark(Answers, 'answer', MessagePattern(PATTERN));
  if (settings.calls) mark(Answers, 'items', MessagePattern('items'));
  return listen(settings, Answers);
}

/** Calls; the timeout is rxjs'. */
export async function rpcClient(settings) {
  const { app, client } = await connect(settings);
  return {
    call: (payload, timeout, { at = PATTERN, signal } = {}) => {
      const sent = client.send(at, payload);
      const answer = timeout === undefined ? sent : sent.pipe(within(timeout));
      if (!signal) return lastValueFrom(answer, { defaultValue: undefined });
      return untilAborted(answer, signal);
    },
    stream: (payload, { timeout }) => itemsOf(client.send('items', payload).pipe(within(timeout))),
    close: () => app.close(),
  };
}

// To abort is to unsubscribe: there is no other way to leave.
function untilAborted(answer, signal) {
  return new Promise((resolve, reject) => {
    let value;
    const next = (each) => (value = each);
    const subscription = answer.subscribe({ next, error: reject, complete: () => resolve(value) });
    const leave = () => {
      subscription.unsubscribe();
      reject(signal.reason);
    };
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave);
  });
}

// What arrived is kept until it is read: an Observable does not wait for its reader.
async function* itemsOf(observable) {
  const arrived = [];
  let wake = () => {};
  const put = (event) => {
    arrived.push(event);
    wake();
  };
  const subscription = observable.subscribe({
    next: (value) => put({ value }),
    error: (error) => put({ error }),
    complete: () => put({ over: true }),
  });
  try {
    for (;;) {
      if (arrived.length === 0) await new Promise((resolve) => (wake = resolve));
      const { value, error, over } = arrived.shift();
      if (over) return;
      if (error) throw error;
      yield value;
    }
  } finally {
    subscription.unsubscribe();
  }
}

const options = ({ url, queue, queueArguments, prefetch, heartbeat }) => ({
  urls: [url],
  queue,
  queueOptions: {
    durable: true,
    arguments: {
      ...queueArguments,
      'x-dead-letter-exchange': '',
      'x-dead-letter-routing-key': `${queue}.dead`,
    },
  },
  prefetchCount: prefetch,
  persistent: true,
  socketOptions: { heartbeatIntervalInSeconds: heartbeat },
});

async function connect(settings) {
  class AppModule {}
  Module({
    imports: [
      ClientsModule.register([{ name: CLIENT, transport: Transport.RMQ, options: options(settings) }]),
    ],
  })(AppModule);
  const app = await NestFactory.createApplicationContext(AppModule, { logger: settings.logger });
  app.enableShutdownHooks(['SIGTERM']);
  const client = app.get(CLIENT);
  await client.connect().catch((error) => settings.failed?.(error));
  return { app, client };
}

async function listen(settings, controller) {
  class AppModule {}
  Module({ controllers: [controller] })(AppModule);
  const app = await NestFactory.createMicroservice(AppModule, {
    transport: Transport.RMQ,
    options: { ...options(settings), noAck: false },
    logger: settings.logger,
  });
  app.enableShutdownHooks(['SIGTERM']);
  await app.listen();
  return app;
}

// What `@Controller()`, the pattern and the two decorators of parameters do, without a compiler.
function mark(type, method, pattern) {
  const descriptor = Object.getOwnPropertyDescriptor(type.prototype, method);
  Payload()(type.prototype, method, 0);
  Ctx()(type.prototype, method, 1);
  Reflect.decorate([pattern], type.prototype, method, descriptor);
  Reflect.decorate([Controller()], type);
}
