// The exchanges that calls need beside their queues: one over which callers reach the servers that work for them, one
// for calls to every instance.

import { CALLS_EXCHANGE, GATHER_EXCHANGE } from '../message/call-control.js';
import type { ExchangeSpec } from './specs.js';

/** What one of them looks like; undefined for any other name. */
export function callsExchange(name: string): ExchangeSpec | undefined {
  if (name !== CALLS_EXCHANGE && name !== GATHER_EXCHANGE) return undefined;
  return {
    name,
    type: name === CALLS_EXCHANGE ? 'topic' : 'direct',
    durable: true,
    autoDelete: false,
    internal: false,
    arguments: {},
    declare: 'create',
    askedBy: 'calls',
  };
}
