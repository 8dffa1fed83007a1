// With a severity as routing key: it reaches those who asked for exactly this one.
import { Injectable } from '@nestjs/common';
import { Publisher } from '@warren/nestjs';
import type { CommandLine } from '../command-line.js';
import type { Producer } from '../producer.js';
import { Terminal } from '../terminal.js';

@Injectable()
export class DirectProducer implements Producer {
  constructor(
    private readonly publisher: Publisher,
    private readonly terminal: Terminal,
  ) {}

  async produce({ name, key, messages, mandatory }: CommandLine): Promise<void> {
    for (const text of messages) {
      // `routed` of the receipt says whether anybody wanted it; with `mandatory` that nobody did is an error.
      this.terminal.sent(text, await this.publisher.publish(key, text, { exchange: name, mandatory }));
    }
  }
}
