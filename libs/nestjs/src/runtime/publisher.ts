// What applications inject to send messages.

import { Inject } from '@nestjs/common';
import type {
  Broker,
  BrokerEvent,
  BrokerStatus,
  PublishOptions,
  PublishReceipt,
  RequestOptions,
} from '@warren/amqp';
import { DEFAULT_CONNECTION } from '../module-options.js';

/** Publishes, sends and calls over one connection. Every promise settles, with what really happened. */
export class Publisher {
  constructor(private readonly broker: Broker) {}

  /**
   * Publishes to a topic exchange (the connection's, or `options.exchange`); resolves when the broker has the message.
   * `routed` says whether any queue got it.
   *
   * @throws EncodeError, TopologyMissingError (no such exchange), PublishTimeoutError, PublishOutcomeUnknownError,
   * PublishNackedError, WaitingRoomFullError; with `mandatory` also UnroutableError
   */
  publish(routingKey: string, payload: unknown, options?: PublishOptions): Promise<PublishReceipt> {
    return this.broker.publish(routingKey, payload, options);
  }

  /** Sends to one queue. @throws UnroutableError when it does not exist, and like `publish` */
  send(queue: string, payload: unknown, options?: PublishOptions): Promise<PublishReceipt> {
    return this.broker.send(queue, payload, options);
  }

  /**
   * Calls the `@RpcHandler` of a pattern and resolves with its answer.
   *
   * @throws RpcRemoteError (the handler threw), RpcNoServerError (nobody listens), RpcTimeoutError,
   * RpcConnectionLostError, RpcCancelledError, EncodeError, DecodeError
   */
  request<T = unknown>(pattern: string, payload: unknown, options?: RequestOptions): Promise<T> {
    return this.broker.request<T>(pattern, payload, options);
  }

  /** Connections, consumers and what is under way, now. */
  status(): BrokerStatus {
    return this.broker.status();
  }

  /** Hears everything that happens on this connection; returns what ends that. */
  on(listener: (event: BrokerEvent) => void): () => void {
    return this.broker.on(listener);
  }
}

/** Token of a connection's publisher. The default one's is the class itself. */
export function getPublisherToken(name: string = DEFAULT_CONNECTION): string | typeof Publisher {
  return name === DEFAULT_CONNECTION ? Publisher : `warren:publisher:${name}`;
}

/** Injects the publisher of a named connection. */
export function InjectPublisher(name?: string): ParameterDecorator & PropertyDecorator {
  return Inject(getPublisherToken(name));
}
