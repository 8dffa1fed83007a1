// One Nest application for one test: the handlers given, a quiet log, closed after the test.
import { Module, type Provider, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { afterEach } from '@jest/globals';
import { Publisher, RabbitModule, type RabbitModuleOptions } from '@warren/nestjs';
import { Collector } from '../support/events.js';

/** What handlers received; inject it to tell the test. */
export class Received extends Collector<unknown> {}

/** A running application. */
export interface Application {
  readonly publisher: Publisher;
  readonly received: Received;
}

const closing: (() => Promise<void>)[] = [];

/** Has something closed after the test, last first. */
export function closeLater(close: () => Promise<void>): void {
  closing.push(close);
}

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Starts it. `queueType` is left to the broker, as every other program here does. */
export async function application(
  url: string,
  handlers: Type<unknown>[] = [],
  options: RabbitModuleOptions = {},
): Promise<Application> {
  const received = new Received('messages');
  const providers: Provider[] = [...handlers, { provide: Received, useValue: received }];
  @Module({
    imports: [
      RabbitModule.forRoot({ url, service: 'interop', queueType: 'default', retry: false, ...options }),
    ],
    providers,
  })
  class AppModule {}
  const app = await NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false });
  closeLater(() => app.close());
  return { publisher: app.get(Publisher), received };
}
