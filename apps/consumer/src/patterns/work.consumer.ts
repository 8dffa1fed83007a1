// A work queue: several workers share it, each task goes to one of them and is acknowledged when it is done. A worker
// that dies gives its task back to the others.
import { setTimeout } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import { Consume, RabbitContext } from '@warren/nestjs';
import { CommandLine } from '../command-line.js';
import { Terminal } from '../terminal.js';

@Injectable()
export class WorkConsumer {
  constructor(
    private readonly commandLine: CommandLine,
    private readonly terminal: Terminal,
  ) {}

  @Consume((get) => ({
    queue: get(CommandLine).name,
    // Replicated 'quorum' queues are the default and the better choice; the tutorials' task_queue is a classic one.
    queueType: 'classic',
    // How many tasks the broker hands out before earlier ones are done. 1: whoever is free gets the next.
    prefetch: get(CommandLine).prefetch,
    // How many run at once, however many were handed out.
    concurrency: get(CommandLine).concurrency,
    // 'auto' acknowledges when the handler returns; with 'none' the broker forgets a task when it hands it out.
    ack: get(CommandLine).ack,
    // A task whose handler throws comes back twice; then it goes to the queue task_queue.dead.
    retry: { attempts: 3, delays: ['300ms', '600ms'] },
  }))
  async work(@Payload() task: string, @Ctx() context: RabbitContext): Promise<void> {
    const { attempt, redelivered } = context;
    this.terminal.got(task, { attempt, redelivered });
    // The signal aborts when a shutdown has no more patience: the task then goes back.
    await setTimeout(dots(task) * this.commandLine.dot, undefined, { signal: context.signal });
    if (attempt <= this.commandLine.fail) {
      this.terminal.failing(task, attempt);
      throw new Error(`no luck at attempt ${attempt}`);
    }
    this.terminal.done(task);
  }
}

const dots = (task: string): number => String(task).split('.').length - 1;
