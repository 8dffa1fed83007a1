// Routing: messages carry a severity, each consumer says which severities it wants.
import { Injectable } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { RoutingKey, Subscribe } from '@warren/nestjs';
import { CommandLine } from '../command-line.js';
import { Terminal } from '../terminal.js';

@Injectable()
export class DirectConsumer {
  constructor(private readonly terminal: Terminal) {}

  // With fixed severities: @Subscribe(['info', 'error'], { exchange: { name: 'direct_logs', type: 'direct' } })
  @Subscribe((get) => ({
    broadcast: true,
    bindings: [
      {
        exchange: { name: get(CommandLine).name, type: 'direct', durable: false },
        keys: get(CommandLine).words,
      },
    ],
    deadLetter: false,
  }))
  receive(@Payload() text: string, @RoutingKey() key: string): void {
    this.terminal.got(text, { key });
  }
}
