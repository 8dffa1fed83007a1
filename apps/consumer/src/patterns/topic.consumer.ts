// Topics: routing keys of several words, and patterns over them. `*` stands for one word, `#` for any number.
import { Injectable } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { RoutingKey, Subscribe } from '@warren/nestjs';
import { CommandLine } from '../command-line.js';
import { Terminal } from '../terminal.js';

@Injectable()
export class TopicConsumer {
  constructor(private readonly terminal: Terminal) {}

  // Topics are the library's default: with its own exchange this is @Subscribe(['*.info', '*.mysql.error']).
  @Subscribe((get) => ({
    broadcast: true,
    bindings: [
      {
        exchange: { name: get(CommandLine).name, type: 'topic', durable: false },
        keys: get(CommandLine).words,
      },
    ],
    deadLetter: false,
  }))
  receive(@Payload() text: string, @RoutingKey() key: string): void {
    this.terminal.got(text, { key });
  }
}
