// To everybody who listens now. A fanout exchange does not look at the routing key, so it is empty.
import { Injectable } from '@nestjs/common';
import { Publisher } from '@warren/nestjs';
import type { CommandLine } from '../command-line.js';
import type { Producer } from '../producer.js';
import { Terminal } from '../terminal.js';

@Injectable()
export class FanoutProducer implements Producer {
  constructor(
    private readonly publisher: Publisher,
    private readonly terminal: Terminal,
  ) {}

  async produce({ name, messages, mandatory }: CommandLine): Promise<void> {
    for (const text of messages) {
      this.terminal.sent(text, await this.publisher.publish('', text, { exchange: name, mandatory }));
    }
  }
}
