// What a handler gets through @Ctx(): the facts of its message and the ways to settle it by hand. Nest's
// guards, interceptors and filters get the same through `switchToRpc().getContext()`.

import { BaseRpcContext } from '@nestjs/microservices';
import type { Delivery, Duration, Headers, ReceivedMessage } from '@warren/amqp';
import { DEFAULT_CONNECTION } from '../module-options.js';

/** The context of one message. */
export class RabbitContext extends BaseRpcContext<[Delivery]> {
  private readonly delivery: Delivery;

  constructor(
    delivery: Delivery,
    /** The name of the connection that it came over. */
    readonly connection: string = DEFAULT_CONNECTION,
  ) {
    super([delivery]);
    this.delivery = delivery;
  }

  /** The message as it was received. */
  get message(): ReceivedMessage {
    return this.delivery.message;
  }

  /** The key it was published with, also after retries. */
  get routingKey(): string {
    return this.delivery.routingKey;
  }

  /** The exchange it was published to, also after retries; '' for the default one. */
  get exchange(): string {
    return this.delivery.exchange;
  }

  /** The queue it came from. */
  get queue(): string {
    return this.delivery.queue;
  }

  /** Own keys only; an object without a prototype. */
  get headers(): Headers {
    return this.delivery.headers;
  }

  /** 1 for the first attempt, counted across retries. */
  get attempt(): number {
    return this.delivery.attempt;
  }

  /** Whether the broker delivered it before, to any consumer. */
  get redelivered(): boolean {
    return this.delivery.message.redelivered;
  }

  /** Aborts at the handler's `timeout`, when the RPC caller leaves, or when the shutdown no longer waits for the handler. */
  get signal(): AbortSignal {
    return this.delivery.signal;
  }

  /** When the handler's or the caller's timeout ends, in milliseconds since 1970; undefined without a limit. */
  get deadline(): number | undefined {
    return this.delivery.deadline;
  }

  /** Acks the message. Settling twice does nothing and logs a warning. */
  ack(): void {
    this.delivery.ack();
  }

  /** Dead-letters the message now. */
  reject(reason: string): void {
    this.delivery.reject(reason);
  }

  /** Retries the message after `after`, or after the policy's next delay. */
  retry(options: { readonly after?: Duration } = {}): void {
    this.delivery.retry(options);
  }
}

/** The context of a batch: one {@link RabbitContext} per message, in the order of the payloads. */
export class RabbitBatchContext extends BaseRpcContext<[readonly Delivery[]]> {
  /** Settle single messages through these; the others follow the outcome of the handler. */
  readonly items: readonly RabbitContext[];

  constructor(
    deliveries: readonly Delivery[],
    /** The name of the connection that they came over. */
    readonly connection: string = DEFAULT_CONNECTION,
  ) {
    super([deliveries]);
    this.items = deliveries.map((delivery) => new RabbitContext(delivery, connection));
  }

  /** Aborts with the first message's. */
  get signal(): AbortSignal {
    return this.items[0].signal;
  }
}
