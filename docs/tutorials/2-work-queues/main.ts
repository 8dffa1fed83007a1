// A work queue: two workers, each an application of its own, share the tasks of one queue.
// #region worker
import 'reflect-metadata';
import { setTimeout } from 'node:timers/promises';
import { type DynamicModule, Inject, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, Payload } from '@nestjs/microservices';
import { Consume, Publisher, RabbitContext, RabbitModule } from '@warren/nestjs';

@Injectable()
class Worker {
  constructor(@Inject('WORKER') private readonly name: string) {}

  @Consume('task_queue', { queueType: 'classic', prefetch: 1, retry: { attempts: 3, delays: '100ms' } })
  async work(@Payload() task: string, @Ctx() context: RabbitContext): Promise<void> {
    // A task takes 100 ms for each dot in it.
    await setTimeout(100 * (task.split('.').length - 1), undefined, { signal: context.signal });
    if (task.startsWith('flaky') && context.attempt === 1) throw new Error('no luck');
    console.log(`${this.name} did '${task}' (attempt ${context.attempt})`);
  }
}
// #endregion

// #region module
@Module({})
class WorkerModule {
  static named(name: string): DynamicModule {
    return {
      module: WorkerModule,
      imports: [RabbitModule.forRoot({ service: 'tutorial' })],
      providers: [Worker, { provide: 'WORKER', useValue: name }],
    };
  }
}
// #endregion

// #region main
const first = await NestFactory.createApplicationContext(WorkerModule.named('worker 1'));
const second = await NestFactory.createApplicationContext(WorkerModule.named('worker 2'));
for (const app of [first, second]) app.enableShutdownHooks();

for (const task of ['long ........', 'short .', 'flaky .', 'short again .']) {
  await first.get(Publisher).send('task_queue', task);
}
// #endregion
