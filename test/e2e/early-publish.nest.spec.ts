// Publishing in Nest's hooks at a first start, when nothing of the application is on the broker yet.

import { expect, it } from '@jest/globals';
import { Injectable, Module, type OnApplicationBootstrap, type OnModuleInit } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Payload } from '@nestjs/microservices';
import { Consume, Publisher, RabbitModule, Subscribe } from '@warren/nestjs';
import { onEachBroker } from '../support/brokers.js';
import { Collector } from '../support/events.js';
import { apps } from '../support/nest.js';

onEachBroker('at a first start', (broker) => {
  it.each(['require', 'background'] as const)(
    'what is published in hooks finds the queues of the application (startup: %s)',
    async (startup) => {
      const got = new Collector<unknown>('messages');
      const outcomes: unknown[] = [];

      @Injectable()
      class Early implements OnModuleInit, OnApplicationBootstrap {
        constructor(private readonly publisher: Publisher) {}

        onModuleInit(): Promise<void> {
          return this.tell('init');
        }

        onApplicationBootstrap(): Promise<void> {
          return this.tell('bootstrap');
        }

        @Consume('early.queue')
        take(@Payload() value: unknown): void {
          got.push(value);
        }

        @Subscribe('early.*')
        hear(@Payload() value: unknown): void {
          got.push(value);
        }

        private async tell(when: string): Promise<void> {
          const sent = await this.publisher.send('early.queue', when).then(
            () => 'sent',
            (error: { code: string }) => error.code,
          );
          const { routed } = await this.publisher.publish('early.event', when);
          outcomes.push([when, sent, routed]);
        }
      }

      const url = await broker.addVhost();
      @Module({
        imports: [RabbitModule.forRoot({ url, service: 'app', queueType: 'classic', startup })],
        providers: [Early],
      })
      class AppModule {}
      apps.push(await NestFactory.createApplicationContext(AppModule, { logger: false }));
      expect(outcomes).toEqual([
        ['init', 'sent', true],
        ['bootstrap', 'sent', true],
      ]);
      expect((await got.take(4)).sort()).toEqual(['bootstrap', 'bootstrap', 'init', 'init']);
    },
  );
});
