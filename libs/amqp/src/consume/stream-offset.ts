// Where a stream consumer goes on after its channel was lost. A stream forgets nothing, so consuming again
// from the offset of its options would deliver everything once more, or skip what came in between.

import type { Delivery } from '../message/delivery.js';

const OFFSET = 'x-stream-offset';

/** The place in a stream of one consumer; does nothing for a queue. */
export class StreamOffset {
  private next: number | undefined;

  constructor(private readonly isStream: boolean) {}

  /** Whether it is not known yet where these arguments begin to read. */
  unknown(consumeArguments: Readonly<Record<string, unknown>>): 'next' | 'last' | undefined {
    if (!this.isStream || this.next !== undefined) return undefined;
    const offset = consumeArguments[OFFSET] ?? 'next';
    return offset === 'next' || offset === 'last' ? offset : undefined;
  }

  /** They begin to read there. */
  begin(offset: number | undefined): void {
    this.next ??= offset;
  }

  /** A delivery came. */
  pass(delivery: Delivery): void {
    const offset = this.isStream ? offsetOf(delivery) : undefined;
    if (offset !== undefined) this.next = offset + 1;
  }

  /** The channel is gone: what was not settled is wanted again. */
  leave(unacked: Iterable<Delivery>): void {
    if (this.next === undefined) return;
    for (const delivery of unacked) {
      const offset = offsetOf(delivery);
      if (offset !== undefined) this.next = Math.min(this.next, offset);
    }
  }

  /** The consumer's arguments, from where it is now. */
  from(consumeArguments: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    return this.next === undefined ? consumeArguments : { ...consumeArguments, [OFFSET]: this.next };
  }
}

function offsetOf({ headers }: Delivery): number | undefined {
  const offset = headers[OFFSET];
  return typeof offset === 'number' ? offset : undefined;
}
