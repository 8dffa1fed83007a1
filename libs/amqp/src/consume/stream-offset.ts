// Where a stream consumer goes on after its channel was lost. A stream forgets nothing, so consuming again
// from the offset of its options would deliver everything once more, or skip what came in between.

import type { LiveChannel } from '../connection/channel.js';
import type { Clock } from '../runtime/clock.js';
import type { Delivery } from '../message/delivery.js';

// Where a stream ends, so that "from now on" is a place and not a moment: a reader that has got nothing yet when it loses
// its connection would skip what was published meanwhile.

/** Silence after which a stream is taken to have no more, in ms. */
const SILENCE = 100;
/** The most time spent on finding the end, in ms. */
const SEARCH_LIMIT = 2_000;

/** The offset at which `next` or `last` of a stream begins now; undefined when it did not tell in time. */
export async function streamEnd(
  channel: LiveChannel['declaring'],
  queue: string,
  offset: 'next' | 'last',
  clock: Clock,
): Promise<number | undefined> {
  const { messageCount } = await channel.checkQueue(queue);
  let first: number | undefined;
  let last: number | undefined;
  let arrived: () => void = () => undefined;
  await channel.prefetch(1_000);
  const options = { arguments: { 'x-stream-offset': 'last' } };
  await channel.consume(
    queue,
    (message) => {
      if (message === null) return;
      const at: unknown = message.properties.headers?.['x-stream-offset'];
      if (typeof at === 'number') {
        first ??= at;
        last = at;
      }
      channel.ack(message);
      arrived();
    },
    options,
  );
  const until = clock.monotonic() + SEARCH_LIMIT;
  for (let silent = false; !silent && clock.monotonic() < until;) {
    silent = await new Promise<boolean>((resolve) => {
      const cancel = clock.after(SILENCE, () => resolve(messageCount === 0 || last !== undefined));
      arrived = () => (cancel(), resolve(offset === 'last'));
    });
  }
  if (last === undefined) return messageCount === 0 ? 0 : undefined;
  return offset === 'last' ? first : last + 1;
}

const OFFSET = 'x-stream-offset';

/** The place in a stream of one consumer. */
export class StreamOffset {
  private next: number | undefined;

  /** Whether it is not known yet where these arguments begin to read. */
  unknown(consumeArguments: Readonly<Record<string, unknown>>): 'next' | 'last' | undefined {
    if (this.next !== undefined) return undefined;
    const offset = consumeArguments[OFFSET] ?? 'next';
    return offset === 'next' || offset === 'last' ? offset : undefined;
  }

  /** They begin to read there. */
  begin(offset: number | undefined): void {
    this.next ??= offset;
  }

  /** A delivery came. */
  pass(delivery: Delivery): void {
    const offset = offsetOf(delivery);
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
