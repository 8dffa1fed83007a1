// One queue, one consumer: the first of RabbitMQ's tutorials.
import { Injectable } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { Consume } from '@warren/nestjs';
import { CommandLine } from '../command-line.js';
import { Terminal } from '../terminal.js';

@Injectable()
export class SimpleConsumer {
  constructor(private readonly terminal: Terminal) {}

  // With a fixed name this would be @Consume('hello', { durable: false }). The tutorials declare their queue as not
  // durable; declared alike, their programs in other languages can use it together with this one.
  @Consume((get) => ({ queue: get(CommandLine).name, durable: false }))
  receive(@Payload() text: string): void {
    this.terminal.got(text);
  }
}
