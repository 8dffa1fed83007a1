// With a topic of several words as routing key: it reaches those whose pattern fits.
import { Injectable } from '@nestjs/common';
import { Publisher } from '@warren/nestjs';
import type { CommandLine } from '../command-line.js';
import type { Producer } from '../producer.js';
import { Terminal } from '../terminal.js';

@Injectable()
export class TopicProducer implements Producer {
  constructor(
    private readonly publisher: Publisher,
    private readonly terminal: Terminal,
  ) {}

  async produce({ name, key, messages, mandatory }: CommandLine): Promise<void> {
    for (const text of messages) {
      // To the library's own exchange, `events`, this is publisher.publish(key, text).
      this.terminal.sent(text, await this.publisher.publish(key, text, { exchange: name, mandatory }));
    }
  }
}
