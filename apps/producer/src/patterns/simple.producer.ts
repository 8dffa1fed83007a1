// To one queue. Without a consumer there is no such queue, and `send` says so instead of losing the message.
import { Injectable } from '@nestjs/common';
import { Publisher } from '@warren/nestjs';
import type { CommandLine } from '../command-line.js';
import type { Producer } from '../producer.js';
import { Terminal } from '../terminal.js';

@Injectable()
export class SimpleProducer implements Producer {
  constructor(
    private readonly publisher: Publisher,
    private readonly terminal: Terminal,
  ) {}

  async produce({ name, messages }: CommandLine): Promise<void> {
    for (const text of messages) {
      // Resolves when the broker has confirmed the message.
      this.terminal.sent(text, await this.publisher.send(name, text));
    }
  }
}
