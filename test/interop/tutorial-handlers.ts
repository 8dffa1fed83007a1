// The Nest side of RabbitMQ's tutorials, for programs that know nothing of Nest.
import { Injectable } from '@nestjs/common';
import { Payload, RpcException } from '@nestjs/microservices';
import { Consume, RoutingKey, RpcHandler, Subscribe } from '@warren/nestjs';
import { Received } from './application.js';

@Injectable()
export class TaskHandlers {
  constructor(private readonly received: Received) {}

  // A queue as other programs declare it: durable, and no word about its type.
  @Consume('tasks', { queueType: 'default' })
  work(@Payload() task: unknown): void {
    this.received.push(task);
  }
}

@Injectable()
export class PassingHandlers {
  constructor(private readonly received: Received) {}

  // Somebody else's queue, whatever its arguments: it must only be there.
  @Consume('passing', { declare: 'check' })
  look(@Payload() text: string): void {
    this.received.push(text);
  }
}

@Injectable()
export class BrittleHandlers {
  @Consume('brittle', { queueType: 'default' })
  take(): void {}
}

@Injectable()
export class LogHandlers {
  constructor(private readonly received: Received) {}

  @Subscribe({ broadcast: true, bindings: [{ exchange: { name: 'logs', type: 'fanout' } }] })
  everything(@Payload() line: string): void {
    this.received.push(['fanout', line]);
  }

  @Subscribe({
    broadcast: true,
    bindings: [{ exchange: { name: 'logs_direct', type: 'direct' }, keys: ['error', 'warning'] }],
  })
  grave(@Payload() line: string, @RoutingKey() severity: string): void {
    this.received.push(['direct', line, severity]);
  }

  @Subscribe(['kern.*', '*.critical'], { exchange: { name: 'logs_topic', type: 'topic' }, broadcast: true })
  chosen(@Payload() line: string, @RoutingKey() key: string): void {
    this.received.push(['topic', line, key]);
  }

  @Subscribe({
    broadcast: true,
    bindings: [
      {
        exchange: { name: 'reports', type: 'headers' },
        match: { all: { format: 'pdf', type: 'report' } },
      },
    ],
  })
  report(@Payload() line: string): void {
    this.received.push(['headers', line]);
  }
}

@Injectable()
export class FibonacciHandlers {
  // The answer is text because the caller, which is no JavaScript, prints what it gets.
  @RpcHandler('rpc_queue', { queueType: 'default' })
  fib(@Payload() n: number): string {
    if (!Number.isInteger(n) || n < 0) throw new RangeError('fib needs a whole number');
    let [a, b] = [0, 1];
    for (let i = 0; i < n; i++) [a, b] = [b, a + b];
    return String(a);
  }
}

@Injectable()
export class CountdownHandlers {
  constructor(private readonly received: Received) {}

  @RpcHandler('countdown', { queueType: 'default' })
  async *countdown(@Payload() from: number): AsyncGenerator<number> {
    try {
      for (let n = from; n > 0; n--) yield await Promise.resolve(n);
      if (from === 1) throw new RpcException('no ignition');
    } finally {
      this.received.push('over');
    }
  }
}
