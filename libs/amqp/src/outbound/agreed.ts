// Contracts where a plain name could stand: what they say becomes the key, the checks and the options of a publish or
// a call, before anything is sent.

import {
  eventKey,
  isContract,
  type EventContract,
  type QueueContract,
  type RpcContract,
} from '../model/contract.js';
import type { PublishOptions, RequestOptions } from '../model/publish-options.js';
import { assertFits } from '../model/schema.js';

/** A name with the options that go with it. */
export interface Agreed<Options> {
  readonly name: string;
  readonly options: Options;
}

/** Words for the places of an event's key. */
export type Params = { readonly params?: Readonly<Record<string, string | number>> };

/** An event's key. @throws EncodeError when the payload or the params do not fit */
export async function agreedEvent(
  target: string | EventContract,
  payload: unknown,
  { params, ...options }: PublishOptions & Params,
): Promise<Agreed<PublishOptions>> {
  if (!isContract(target)) return { name: target, options };
  const name = eventKey(target, params);
  await assertFits(target.payload, payload, `the event '${target.key}'`);
  return { name, options };
}

/** A queue's name. @throws EncodeError when the payload does not fit */
export async function agreedQueue(target: string | QueueContract, payload: unknown): Promise<string> {
  if (!isContract(target)) return target;
  await assertFits(target.payload, payload, `the queue '${target.name}'`);
  return target.name;
}

/** A call's pattern. @throws EncodeError when the request does not fit */
export async function agreedCall<Options extends RequestOptions>(
  target: string | RpcContract,
  payload: unknown,
  options: Options,
): Promise<Agreed<Options>> {
  if (!isContract(target)) return { name: target, options };
  await assertFits(target.request, payload, `the request '${target.pattern}'`);
  const { response: schema = options.schema, errors } = target;
  return {
    name: target.pattern,
    options: { ...options, schema, errors: [...errors, ...(options.errors ?? [])] },
  };
}
