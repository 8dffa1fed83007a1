// With headers instead of a routing key.
import { Injectable } from '@nestjs/common';
import { Publisher } from '@warren/nestjs';
import type { CommandLine } from '../command-line.js';
import type { Producer } from '../producer.js';
import { Terminal } from '../terminal.js';

@Injectable()
export class HeadersProducer implements Producer {
  constructor(
    private readonly publisher: Publisher,
    private readonly terminal: Terminal,
  ) {}

  async produce({ name, headers, messages, mandatory }: CommandLine): Promise<void> {
    for (const text of messages) {
      const receipt = await this.publisher.publish('', text, { exchange: name, headers, mandatory });
      this.terminal.sent(text, receipt);
    }
  }
}
