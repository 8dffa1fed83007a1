// What callers and servers of calls say to each other beside requests and replies: that a call is over, and that a
// stream may send more. Small messages over an exchange of their own, to a queue that each server process has.

import { randomUUID } from 'node:crypto';

/** The exchange. Its key is `<exchange>.<routing key>` of the request, so servers bind what their handlers listen to. */
export const CALLS_EXCHANGE = 'warren.calls';

/** The exchange for calls to all instances; its key is the pattern. */
export const GATHER_EXCHANGE = 'warren.gather';

/**
 * One such message. `id` is the correlation id of the call, which only its two sides know. `call` is the `x-warren-call` of
 * the request, when it has one. `count` is how many items of a stream were read in all: said twice it means the same, and
 * the next one makes up for one that was lost.
 */
export type CallControl =
  | { readonly kind: 'cancel'; readonly id: string; readonly call?: string }
  | { readonly kind: 'credit'; readonly id: string; readonly count: number };

/** The name of a server's queue for such messages. */
export function controlQueueName(service: string): string {
  return `${service}.control.${randomUUID().slice(0, 8)}`;
}

/** Whether a name that came over the wire can be one: to any other queue nothing is said. */
export function isControlQueue(name: string | undefined): name is string {
  return name !== undefined && /\.control\.[0-9a-f]{8}$/.test(name);
}

/** The key under which the servers of a request hear about it; undefined when the broker could not carry it. */
export function callsKey(exchange: string, routingKey: string): string | undefined {
  const key = `${exchange}.${routingKey}`;
  return Buffer.byteLength(key) <= 255 ? key : undefined;
}

/** As a body. */
export function writeControl(control: CallControl): Buffer {
  return Buffer.from(JSON.stringify(control));
}

/** From a body; undefined for anything else that found its way here. */
export function readControl(content: Buffer): CallControl | undefined {
  if (content.length > 1_000) return undefined;
  let read: unknown;
  try {
    read = JSON.parse(content.toString());
  } catch {
    return undefined;
  }
  if (typeof read !== 'object' || read === null) return undefined;
  const { kind, id, call, count } = read as Record<string, unknown>;
  if (typeof id !== 'string' || id === '') return undefined;
  if (kind === 'cancel' && call === undefined) return { kind, id };
  if (kind === 'cancel' && typeof call === 'string') return { kind, id, call };
  if (kind === 'credit' && Number.isSafeInteger(count) && (count as number) > 0) {
    return { kind, id, count: count as number };
  }
  return undefined;
}
