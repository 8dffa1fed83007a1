// The sending end of a streamed answer: takes items from a handler's generator no faster than its caller grants,
// and stops the generator, its `finally` included, when nobody wants more.

import type { Clock } from '../model/clock.js';

/** How many items may still be sent. Grows by what the caller grants. */
export class Credit {
  private left: number;
  private waiting: (() => void) | undefined;

  constructor(granted: number) {
    this.left = bounded(granted);
  }

  grant(count: number): void {
    this.left = bounded(this.left + bounded(count));
    this.wake();
  }

  /** Whoever waits for credit looks again. */
  wake(): void {
    this.waiting?.();
    this.waiting = undefined;
  }

  /** Resolves when one item may go, or when `signal` aborted and somebody woke it. */
  async take(signal: AbortSignal): Promise<void> {
    while (this.left === 0 && !signal.aborted) {
      await new Promise<void>((resolve) => (this.waiting = resolve));
    }
    if (!signal.aborted) this.left--;
  }
}

const noop = (): void => undefined;

/** A million items on their way are a buffer without a bound, whatever a caller writes into its header. */
const CREDIT_LIMIT = 1_000_000;

function bounded(count: number): number {
  return Number.isSafeInteger(count) && count > 0 ? Math.min(count, CREDIT_LIMIT) : 0;
}

/** Where items go. Each resolves when the caller's queue has it and rejects when the caller is gone. */
export interface StreamOutlet {
  /** Throws at once when the value cannot travel. */
  item(value: unknown, sequence: number): Promise<void>;
  /** Nothing to say yet, but alive. */
  alive(): Promise<void>;
  /** That was all, so many items. */
  end(count: number): Promise<void>;
}

/** What a stream runs in. */
export interface StreamRoom {
  /** What the caller granted; without one it takes whatever comes. */
  readonly credit: Credit | undefined;
  readonly outlet: StreamOutlet;
  readonly clock: Clock;
  /** Aborts when the caller left, its deadline passed, or the shutdown's patience ended. */
  readonly signal: AbortSignal;
  /** The caller cannot be reached any more: aborts the signal. */
  readonly gone: (reason: Error) => void;
  /** After so much silence a sign of life is sent, in ms. Default: never. */
  readonly keepAlive: number | undefined;
}

/** The longest silence without a sign of life, in ms. */
export const KEEP_ALIVE = 10_000;

/**
 * Sends what the generator yields. Resolves with the number of items when all was sent, rejects with what the
 * generator threw, or with the signal's reason when the caller left.
 */
export async function streamOut(items: AsyncIterable<unknown>, room: StreamRoom): Promise<number> {
  const { credit, outlet, signal } = room;
  const iterator = items[Symbol.asyncIterator]();
  const life = keepAlive(room);
  const abortion = abortionOf(room);
  let sequence = 0;
  let done = false;
  try {
    for (;;) {
      await credit?.take(signal);
      const next = await Promise.race([abortion.promise, iterator.next()]);
      if (next.done) break;
      // Not awaited: the credit bounds how many are under way, and a lost caller ends the stream anyhow.
      outlet.item(next.value, ++sequence).catch(room.gone);
      life.sign();
    }
    done = true;
    await outlet.end(sequence);
    return sequence;
  } finally {
    life.stop();
    abortion.forget();
    // Not awaited: a generator in the middle of a long wait comes to its `finally` when that wait is over.
    if (!done) void Promise.resolve(iterator.return?.()).catch(noop);
  }
}

function abortionOf({ signal, credit }: StreamRoom): {
  readonly promise: Promise<never>;
  readonly forget: () => void;
} {
  let onAbort = noop;
  const promise = new Promise<never>((_resolve, reject) => {
    onAbort = () => {
      reject(signal.reason as Error);
      credit?.wake();
    };
  });
  promise.catch(noop);
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  return { promise, forget: () => signal.removeEventListener('abort', onAbort) };
}

/** A sign of life after each silence, so that both ends notice when the other is gone. */
function keepAlive({ clock, outlet, gone, keepAlive: silence }: StreamRoom): {
  readonly sign: () => void;
  readonly stop: () => void;
} {
  if (silence === undefined) return { sign: noop, stop: noop };
  let quietSince = clock.now();
  let cancel = noop;
  const watch = (): void => {
    cancel = clock.after(silence - (clock.now() - quietSince), () => {
      if (clock.now() - quietSince >= silence) {
        quietSince = clock.now();
        outlet.alive().catch(gone);
      }
      watch();
    });
  };
  watch();
  return { sign: () => void (quietSince = clock.now()), stop: () => cancel() };
}
