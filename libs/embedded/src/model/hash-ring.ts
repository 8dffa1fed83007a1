// The consistent hash exchange (`x-consistent-hash`): every message goes to one destination, picked by a hash of its
// routing key or of a header or property; the binding key is the destination's weight. Adding a destination moves
// only the share that it takes over. Which destination a given key gets differs from RabbitMQ's own choice.
import { createHash } from 'node:crypto';
import type { Table } from '../wire/field-table.js';
import { canonicalValue } from './canonical.js';
import type { Routable, Router } from './router.js';
import { precondition } from './failure.js';
import type { Message } from './message.js';

/** Places on the ring per unit of weight; more makes shares more even. */
const PLACES = 64;
const MAX_WEIGHT = 1000;

interface Place<B> {
  readonly at: number;
  readonly binding: B;
}

/** The weight must be a number above zero. Throws 406 otherwise. */
export function checkWeight(key: string): void {
  if (!/^-?[0-9]+$/.test(key))
    throw precondition(`The binding key must be an integer: <<${key && `"${key}"`}>>`);
  if (Number(key) <= 0) throw precondition('The binding key must be greater than 0');
  if (Number(key) > MAX_WEIGHT) throw precondition(`The binding key must be at most ${MAX_WEIGHT}`);
}

const PROPERTIES = ['correlation_id', 'message_id', 'timestamp'];

export class HashRing<B extends Routable> implements Router<B> {
  private readonly header: string | undefined;
  private readonly property: string | undefined;
  private readonly bound = new Map<Routable['destination'], string>();
  private readonly byBinding = new Map<string, readonly Place<B>[]>();
  /** All places in order; made by the first message after a change, so that many changes cost one sort. */
  private ring: readonly Place<B>[] | undefined;

  constructor(options: Table) {
    this.header = text(options, 'hash-header');
    this.property = text(options, 'hash-property');
    if (this.header !== undefined && this.property !== undefined) {
      throw precondition('hash-header and hash-property are mutually exclusive');
    }
    if (this.property !== undefined && !PROPERTIES.includes(this.property)) {
      throw precondition(`Unsupported property: ${this.property}`);
    }
  }

  add(binding: B): void {
    const { name } = binding.destination;
    // As in RabbitMQ, the first binding of a destination is its weight, and others change nothing.
    if (this.bound.has(binding.destination)) return;
    this.bound.set(binding.destination, binding.id);
    const places: Place<B>[] = [];
    for (let place = 0; place < Number(binding.key) * PLACES; place += 1) {
      places.push({ at: hash(`${name}\n${place}`), binding });
    }
    this.byBinding.set(binding.id, places);
    this.ring = undefined;
  }

  remove(binding: B): void {
    if (this.bound.get(binding.destination) === binding.id) this.bound.delete(binding.destination);
    this.byBinding.delete(binding.id);
    this.ring = undefined;
  }

  route(message: Message, found: (binding: B) => void): void {
    if (this.byBinding.size === 0) return;
    this.ring ??= [...this.byBinding.values()].flat().sort((a, b) => a.at - b.at);
    const { ring } = this;
    const wanted = hash(this.subject(message));
    let low = 0;
    let high = ring.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ring[middle].at < wanted) low = middle + 1;
      else high = middle;
    }
    found((ring[low] ?? ring[0]).binding);
  }

  private subject(message: Message): string {
    if (this.header !== undefined) {
      const field = message.headers.get(this.header);
      return field ? canonicalValue(field) : '';
    }
    switch (this.property) {
      case undefined:
        return message.routingKey;
      case 'message_id':
        return message.text('messageId') ?? '';
      case 'correlation_id':
        return message.text('correlationId') ?? '';
      default:
        return String(message.timestamp ?? '');
    }
  }
}

function text(options: Table, name: string): string | undefined {
  const field = options.get(name);
  return field?.type === 'longstr' ? field.value : undefined;
}

function hash(value: string): number {
  return createHash('md5').update(value).digest().readUInt32BE(0);
}
