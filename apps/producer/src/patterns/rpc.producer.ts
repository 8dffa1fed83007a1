// Asks, and waits for the answer: the value that the handler returned, or the error that it threw.
import { Injectable } from '@nestjs/common';
import { Publisher } from '@warren/nestjs';
import type { CommandLine } from '../command-line.js';
import type { Producer } from '../producer.js';
import { Terminal } from '../terminal.js';

@Injectable()
export class RpcProducer implements Producer {
  constructor(
    private readonly publisher: Publisher,
    private readonly terminal: Terminal,
  ) {}

  async produce({ name, messages }: CommandLine): Promise<void> {
    for (const text of messages) {
      this.terminal.asking(`fib(${text})`);
      // Rejects with RpcNoServerError when nobody listens, RpcRemoteError when the handler threw, RpcTimeoutError
      // when no answer comes in time. It never waits for ever.
      const answer = await this.publisher.request<number>(name, Number(text), { timeout: '5s' });
      this.terminal.answered(`fib(${text})`, answer);
    }
  }
}
