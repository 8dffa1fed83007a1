// What applications inject to send messages.

import { Inject, Injectable } from '@nestjs/common';
import type {
  Broker,
  EventContract,
  Gathered,
  GatherOptions,
  MessageList,
  MessageOutcome,
  PayloadOf,
  PublishArguments,
  QueueContract,
  RpcContract,
  SchemaOutput,
  StreamOptions,
  BrokerEvent,
  BrokerStatus,
  PublishOptions,
  PublishReceipt,
  RequestOptions,
} from '@warren/amqp';
import { DEFAULT_CONNECTION, getBrokerToken } from '../module-options.js';

/** Publishes, sends and calls over one connection. Every promise settles, with what really happened. */
@Injectable()
export class Publisher {
  /** Nest makes one for each connection. Provided anew in a feature module, it publishes over the default connection. */
  constructor(@Inject(getBrokerToken()) private readonly broker: Broker) {}

  /**
   * Publishes to a topic exchange (the connection's, or `options.exchange`); resolves when the broker has the message.
   * `routed` says whether any queue got it. Instead of the key, the contract made by `event()`, with `params` for the
   * places of its key.
   *
   * @throws EncodeError, TopologyMissingError (no such exchange), AccessRefusedError, PublishTimeoutError,
   * PublishOutcomeUnknownError, PublishNackedError, PublishRefusedError, PublishBufferFullError; with `mandatory` also
   * UnroutableError
   */
  publish<Target extends string | EventContract>(
    target: Target,
    payload: PayloadOf<Target>,
    ...options: PublishArguments<Target, PublishOptions>
  ): Promise<PublishReceipt> {
    return this.broker.publish(target, payload, ...options);
  }

  /**
   * Sends to one queue, by its name or the contract made by `queue()`.
   *
   * @throws UnroutableError when it does not exist, and like `publish`
   */
  send<Target extends string | QueueContract>(
    target: Target,
    payload: PayloadOf<Target>,
    options?: PublishOptions,
  ): Promise<PublishReceipt> {
    return this.broker.send(target, payload, options);
  }

  /**
   * Publishes a list of `{ target, payload, options }` in its order, and resolves with the outcome of each message in the
   * same order: `{ receipt }`, or `{ error }` with what `publish` would reject with. A bad message stops no other. The
   * cheapest way to publish many: one promise for all of them, and at most 1000 under way, so that the list may be longer
   * than `publish.buffer`. `options` are for all messages; each has its `timeout` from its turn on, and when the broker
   * accepts none for as long, the rest ends with PublishTimeoutError. Payloads must not change until it resolves.
   *
   * @throws ConfigError when it is no list, or `options` are invalid
   */
  publishMany<Targets extends readonly (string | EventContract)[]>(
    list: MessageList<Targets>,
    options?: PublishOptions,
  ): Promise<MessageOutcome[]> {
    return this.broker.publishMany(list, options);
  }

  /** Sends a list to queues: as `publishMany`, each message like `send`. @throws ConfigError like `publishMany` */
  sendMany<Targets extends readonly (string | QueueContract)[]>(
    list: MessageList<Targets>,
    options?: PublishOptions,
  ): Promise<MessageOutcome[]> {
    return this.broker.sendMany(list, options);
  }

  /**
   * Calls the `@RpcHandler` of a pattern (or of the contract made by `rpc()`) and resolves with its answer. Inside an
   * RPC handler it has no more time than the caller of that handler left.
   *
   * @throws RpcRemoteError (the handler threw) or the registered error that was thrown, RpcNoServerError (nobody
   * listens), RpcTimeoutError, RpcConnectionLostError, RpcCancelledError, EncodeError, DecodeError
   */
  request<T = unknown>(pattern: string, payload: unknown, options?: RequestOptions): Promise<T>;
  request<Contract extends RpcContract>(
    contract: Contract,
    payload: PayloadOf<Contract>,
    options?: RequestOptions,
  ): Promise<SchemaOutput<Contract['response']>>;
  request(target: string | RpcContract, payload: unknown, options?: RequestOptions): Promise<unknown> {
    return this.broker.request(target as string, payload, options);
  }

  /**
   * Calls an `@RpcHandler` that is an async generator or returns an Observable, and reads its items as they come:
   * `for await (const line of publisher.stream('logs.tail', query)) ...`. The server sends no more than `credit` items
   * ahead; leaving the loop runs the generator's `finally`. Errors like those of `request`, after the items before them.
   */
  stream<T = unknown>(pattern: string, payload: unknown, options?: StreamOptions): AsyncIterableIterator<T>;
  stream<Contract extends RpcContract>(
    contract: Contract,
    payload: PayloadOf<Contract>,
    options?: StreamOptions,
  ): AsyncIterableIterator<SchemaOutput<Contract['response']>>;
  stream(
    target: string | RpcContract,
    payload: unknown,
    options?: StreamOptions,
  ): AsyncIterableIterator<unknown> {
    return this.broker.stream(target as string, payload, options);
  }

  /**
   * Calls the `@RpcHandler(..., { broadcast: true })` of every instance and resolves with their answers when `expect`
   * of them came, or when `timeout` is over.
   *
   * @throws RpcNoServerError (nobody listens), RpcConnectionLostError, RpcCancelledError, EncodeError
   */
  gather<T = unknown>(pattern: string, payload: unknown, options?: GatherOptions): Promise<Gathered<T>[]>;
  gather<Contract extends RpcContract>(
    contract: Contract,
    payload: PayloadOf<Contract>,
    options?: GatherOptions,
  ): Promise<Gathered<SchemaOutput<Contract['response']>>[]>;
  gather(target: string | RpcContract, payload: unknown, options?: GatherOptions): Promise<Gathered[]> {
    return this.broker.gather(target as string, payload, options);
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
