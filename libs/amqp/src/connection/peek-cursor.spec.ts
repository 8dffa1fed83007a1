// How many messages the broker is asked for, by their number and by the size of those that it has sent.
import { describe, expect, it } from '@jest/globals';
import { systemClock } from '../runtime/clock.js';
import type { LiveChannel } from './channel.js';
import { PeekCursor } from './peek-cursor.js';

const MIB = 1024 * 1024;

interface Consumer {
  readonly prefetch: number;
  readonly deliver: (message: object) => void;
  unsettled: number;
  cancelled: boolean;
}

/** A queue of messages of these sizes, and a channel that consumes it. */
class Queue {
  readonly consumers = new Map<string, Consumer>();
  sent = 0;
  private prefetched = 0;
  private readonly unsettled = new Map<number, Consumer>();

  constructor(private readonly sizes: readonly number[]) {}

  get live(): LiveChannel {
    const channel = {
      prefetch: (by: number) => Promise.resolve(void (this.prefetched = by)),
      consume: (_queue: string, deliver: Consumer['deliver'], { consumerTag }: { consumerTag: string }) => {
        this.consumers.set(consumerTag, {
          prefetch: this.prefetched,
          deliver,
          unsettled: 0,
          cancelled: false,
        });
        this.push();
        return Promise.resolve();
      },
      cancel: (tag: string) => Promise.resolve(void (this.consumers.get(tag)!.cancelled = true)),
      checkQueue: () => Promise.resolve({ messageCount: this.sizes.length - this.sent }),
      ack: ({ fields: { deliveryTag } }: { fields: { deliveryTag: number } }, upTo: boolean) => {
        for (let tag = deliveryTag; tag > 0 && (upTo || tag === deliveryTag); tag--) {
          const consumer = this.unsettled.get(tag);
          if (consumer && this.unsettled.delete(tag)) consumer.unsettled--;
        }
        this.push();
      },
    };
    return {
      declaring: channel,
      closed: new Promise(() => undefined),
      alive: true,
    } as unknown as LiveChannel;
  }

  private push(): void {
    for (const consumer of this.consumers.values())
      while (!consumer.cancelled && consumer.unsettled < consumer.prefetch && this.sent < this.sizes.length) {
        const content = { length: this.sizes[this.sent++] };
        consumer.unsettled++;
        this.unsettled.set(this.sent, consumer);
        consumer.deliver({ fields: { deliveryTag: this.sent }, properties: {}, content });
      }
  }
}

interface Read {
  /** Messages that were given. */
  readonly taken: number;
  readonly consumers: number;
  /** The most that had arrived and was not read yet. */
  readonly waited: number;
}

/** Reads to the end; `keeps` says which messages stay unsettled. */
async function read(
  sizes: readonly number[],
  {
    size = 10_000,
    first = 200,
    keeps = (): boolean => true,
  }: { size?: number; first?: number; keeps?: (n: number) => boolean } = {},
): Promise<Read> {
  const queue = new Queue(sizes);
  const cursor = new PeekCursor(
    queue.live,
    'q',
    systemClock,
    sizes.length,
    Math.min(size, sizes.length),
    first,
  );
  await cursor.open();
  let [held, waited] = [0, 0];
  for (;;) {
    const message = await cursor.next(held);
    if (!message) break;
    waited = Math.max(waited, queue.sent - cursor.taken + 1);
    if (keeps(cursor.taken)) held++;
    else cursor.ack(message.deliveryTag);
  }
  return { taken: cursor.taken, consumers: queue.consumers.size, waited };
}

const messages = (count: number, size: number): number[] => Array.from({ length: count }, () => size);

describe('what is taken of a queue at once', () => {
  it('is a growing number of small messages, up to all that may be held', async () => {
    const { taken, consumers, waited } = await read(messages(12_000, 1_000));
    expect(taken).toBe(10_000);
    expect(consumers).toBeLessThanOrEqual(16);
    expect(waited).toBeGreaterThan(1_000);
  });

  it('is some 64 MiB of large messages, whatever their number', async () => {
    expect(await read(messages(90, MIB))).toEqual({ taken: 90, consumers: 3, waited: 64 });
    // As many as have to be taken before their size is known.
    expect(await read(messages(90, 8 * MIB))).toMatchObject({ taken: 90, waited: 10 });
    expect(await read([...messages(10, 1_000), ...messages(900, MIB)])).toMatchObject({
      taken: 910,
      waited: 200,
    });
  });

  it('ends when large messages stay until no consumer is left, and not when they are settled', async () => {
    expect(await read(messages(300, 8 * MIB))).toMatchObject({ taken: 10 + 23 * 8, consumers: 24 });
    expect(await read(messages(300, 8 * MIB), { keeps: () => false })).toMatchObject({
      taken: 300,
      consumers: 1,
    });
    expect((await read(messages(300, 8 * MIB), { keeps: (n) => n % 2 === 0 })).taken).toBe(300);
  });

  it('needs no further consumer while batches of its size are settled', async () => {
    const queue = new Queue(messages(1_000, 10));
    const cursor = new PeekCursor(queue.live, 'q', systemClock, 1_000, 110, 100);
    await cursor.open();
    for (let held = 0; ;) {
      const message = await cursor.next(held);
      if (!message) break;
      held++;
      if (held === 100) {
        cursor.ackUpTo(message.deliveryTag, held);
        held = 0;
      }
    }
    expect(cursor.taken).toBe(1_000);
    expect(queue.consumers.size).toBe(2);
  });
});
