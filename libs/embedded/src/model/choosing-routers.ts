// Exchanges that pick one of their destinations (`x-random`, `x-local-random`, `x-modulus-hash`), and the one that
// gives a new queue what it missed (`x-recent-history`).
import { createHash } from 'node:crypto';
import type { Table } from '../wire/field-table.js';
import { isInteger } from './queue-settings.js';
import { precondition } from './failure.js';
import type { Routable, Router } from './router.js';
import type { Message } from './message.js';

/** Every message goes to one of the bindings, whatever their keys are. */
export class ChoosingRouter<B extends Routable> implements Router<B> {
  private bindings: B[] = [];

  constructor(
    /** Which of so many; by chance unless told otherwise. */
    private readonly choose = (_message: Message, count: number): number => Math.floor(Math.random() * count),
  ) {}

  add(binding: B): void {
    this.bindings.push(binding);
  }

  remove(binding: B): void {
    this.bindings = this.bindings.filter(({ id }) => id !== binding.id);
  }

  route(message: Message, found: (binding: B) => void): void {
    const { bindings } = this;
    if (bindings.length > 0) found(bindings[this.choose(message, bindings.length)]);
  }
}

/** The choice of `x-modulus-hash`: by the routing key, until a binding comes or goes. */
export function byRoutingKey({ routingKey }: Message, count: number): number {
  return createHash('md5').update(routingKey).digest().readUInt32BE(0) % count;
}

/** Throws 406 for what `x-local-random` does not bind: keys, exchanges, queues that are not classic. */
export function checkLocalBinding(key: string, destination: Routable['destination']): void {
  if (destination.kind !== 'queue') throw precondition('Destination not found');
  if (key !== '') throw precondition(`Non empty binding '${key}' key not permitted`);
  const { type } = destination.settings;
  if (type === 'classic') return;
  throw precondition(`Queue type rabbit_${type}_queue not valid for this exchange type`);
}

const LENGTH = 'x-recent-history-length';
const USUAL_LENGTH = 20;

/** A fanout exchange that keeps its last messages for queues that are bound later. */
export class RecentHistory<B extends Routable> implements Router<B> {
  private readonly bindings = new Map<string, B>();
  private readonly recent: Message[] = [];
  private readonly length: number;

  constructor(options: Table) {
    const field = options.get(LENGTH);
    if (field && !(isInteger(field) && Number(field.value) > 0)) {
      throw precondition(`Invalid argument, '${LENGTH}' must be a positive integer`);
    }
    this.length = field ? Number(field.value) : USUAL_LENGTH;
  }

  add(binding: B): void {
    this.bindings.set(binding.id, binding);
    const { destination } = binding;
    if (destination.kind === 'queue') for (const message of this.recent) destination.publish(message);
  }

  remove(binding: B): void {
    this.bindings.delete(binding.id);
  }

  route(message: Message, found: (binding: B) => void): void {
    if (message.headers.get('x-recent-history-no-store')?.value !== true) {
      this.recent.push(message);
      if (this.recent.length > this.length) this.recent.shift();
    }
    this.bindings.forEach(found);
  }
}
