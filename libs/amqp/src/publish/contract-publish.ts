// Contracts where a plain name could stand: what they say becomes the key, the checks and the options of a publish or
// a call, before anything is sent.

import {
  eventKey,
  isContract,
  type EventContract,
  type QueueContract,
  type RpcContract,
} from '../message/contract.js';
import type { PublishOptions, PublishReceipt, RequestOptions } from '../options/publish-options.js';
import { assertFits } from '../message/schema.js';
import type { Publisher } from './publisher.js';

/** A name with the options that go with it. */
export interface ContractPublish<Options> {
  readonly name: string;
  readonly options: Options;
}

/** Words for the places of an event's key. */
export type Params = { readonly params?: Readonly<Record<string, string | number>> };

/** Publishes an event under its key. @throws EncodeError when the payload or the params do not fit */
export async function publishContract(
  publisher: Publisher,
  event: EventContract,
  payload: unknown,
  { params, ...options }: PublishOptions & Params = {},
): Promise<PublishReceipt> {
  const key = eventKey(event, params);
  await assertFits(event.payload, payload, `the event '${event.key}'`);
  return publisher.publish(key, payload, options, event.key);
}

/** Sends to the queue of a contract. @throws EncodeError when the payload does not fit */
export async function sendContract(
  publisher: Publisher,
  queue: QueueContract,
  payload: unknown,
  options?: PublishOptions,
): Promise<PublishReceipt> {
  await assertFits(queue.payload, payload, `the queue '${queue.name}'`);
  return publisher.send(queue.name, payload, options);
}

/** A call's pattern. @throws EncodeError when the request does not fit */
export async function contractCall<Options extends RequestOptions>(
  target: string | RpcContract,
  payload: unknown,
  options: Options,
): Promise<ContractPublish<Options>> {
  if (!isContract(target)) return { name: target, options };
  await assertFits(target.request, payload, `the request '${target.pattern}'`);
  const { response: schema = options.schema, errors } = target;
  return {
    name: target.pattern,
    options: { ...options, schema, errors: [...errors, ...(options.errors ?? [])] },
  };
}
