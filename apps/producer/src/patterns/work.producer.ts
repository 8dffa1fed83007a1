// Tasks for workers. Messages are persistent unless one says otherwise: in a durable queue they survive a restart
// of the broker.
import { Injectable } from '@nestjs/common';
import { Publisher } from '@warren/nestjs';
import type { CommandLine } from '../command-line.js';
import type { Producer } from '../producer.js';
import { Terminal } from '../terminal.js';

@Injectable()
export class WorkProducer implements Producer {
  constructor(
    private readonly publisher: Publisher,
    private readonly terminal: Terminal,
  ) {}

  async produce({ name, messages, repeat }: CommandLine): Promise<void> {
    for (const task of messages) {
      // All at once: each promise resolves when the broker has that one.
      const sending = Array.from({ length: repeat }, async () => {
        this.terminal.sent(task, await this.publisher.send(name, task));
      });
      await Promise.all(sending);
    }
  }
}
