// Remote procedure call: the value that the handler returns is the answer, and so is the error that it throws.
import { Injectable } from '@nestjs/common';
import { Payload, RpcException } from '@nestjs/microservices';
import { RpcHandler } from '@warren/nestjs';
import { CommandLine } from '../command-line.js';
import { Terminal } from '../terminal.js';

/** fib(78) is the last one that a JavaScript number holds exactly. */
const LARGEST = 78;

@Injectable()
export class RpcConsumer {
  constructor(private readonly terminal: Terminal) {}

  // With a fixed name and a queue of its own: @RpcHandler('rpc_queue'). Not durable, as the tutorials declare it.
  @RpcHandler((get) => ({ queue: get(CommandLine).name, durable: false }))
  fibonacci(@Payload() n: number): number {
    this.terminal.got(String(n));
    if (!Number.isInteger(n) || n < 0 || n > LARGEST) {
      // Of an RpcException the caller gets the message; of any other error only that there was one.
      throw new RpcException(`fib(n) needs a whole number from 0 to ${LARGEST}`);
    }
    const answer = fib(n);
    this.terminal.done(String(n), `Answered fib(${n}) = ${answer}`);
    return answer;
  }
}

function fib(n: number): number {
  let [current, next] = [0, 1];
  for (let i = 0; i < n; i++) [current, next] = [next, current + next];
  return current;
}
