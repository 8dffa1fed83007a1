// Broadcast: every consumer that is running gets a copy of every message; who comes later has missed it.
import { Injectable } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { Subscribe } from '@warren/nestjs';
import { CommandLine } from '../command-line.js';
import { Terminal } from '../terminal.js';

@Injectable()
export class FanoutConsumer {
  constructor(private readonly terminal: Terminal) {}

  @Subscribe((get) => ({
    // A queue for this process alone, gone when it ends. Without it the instances of a service would share one queue.
    broadcast: true,
    bindings: [{ exchange: { name: get(CommandLine).name, type: 'fanout', durable: false } }],
    // A log line that cannot be shown is not worth a queue for the dead.
    deadLetter: false,
  }))
  receive(@Payload() text: string): void {
    this.terminal.got(text);
  }
}
