// The sending end of a reply stream: takes items from a handler's generator no faster than its caller grants credit,
// and ends the generator, its `finally` included, when the caller leaves.

import type { Clock } from '../../runtime/clock.js';
import { RabbitError } from '../../errors/errors.js';
import { returnIterator, AbortableWait } from '../../runtime/abort-signals.js';

const ITEMS = 256;
const BYTES = 4 * 1024 * 1024;

/**
 * Items of a stream that were sent and not confirmed yet: few enough that large ones do not fill the memory,
 * whatever the caller is ready to take.
 */
export class UnconfirmedItems {
  private items = 0;
  private bytes = 0;
  private wake: (() => void) | undefined;

  /** Whether another one may be sent. */
  get full(): boolean {
    return this.items >= ITEMS || this.bytes >= BYTES;
  }

  /** Sent; it is on its way until `arrived` settles. */
  add(bytes: number, arrived: Promise<void>, failed: (error: Error) => void): void {
    this.items++;
    this.bytes += bytes;
    arrived.catch(failed).finally(() => {
      this.items--;
      this.bytes -= bytes;
      if (this.full) return;
      this.wake?.();
      this.wake = undefined;
    });
  }

  /** Resolves when it is not full any more. One may wait at a time. */
  untilFree(): Promise<void> {
    return new Promise((resolve) => (this.wake = resolve));
  }
}

const noop = (): void => undefined;

/** The number of items that may be sent ahead of what the caller has read. */
export class Credit {
  /** Sends a keep-alive with the address for control messages of the caller. */
  signOfLife: () => void = noop;
  private readonly window: number;
  private taken = 0;
  private known = 0;
  private waiting: (() => void) | undefined;

  constructor(granted: number) {
    this.window = countOf(granted);
  }

  /** Whether one more may be sent. */
  get left(): boolean {
    return this.taken - this.known < this.window;
  }

  /** The total number of items that the caller has read. More than were sent does not count. */
  read(total: number): void {
    this.known = Math.max(this.known, Math.min(countOf(total), this.taken));
    if (!this.left) return;
    this.waiting?.();
    this.waiting = undefined;
  }

  take(): void {
    this.taken++;
  }

  /** Resolves when one more may be sent. One may wait at a time. */
  more(): Promise<void> {
    return new Promise((resolve) => (this.waiting = resolve));
  }
}

function countOf(count: number): number {
  return Number.isSafeInteger(count) && count > 0 ? count : 0;
}

/** An item that was sent. */
export interface SentItem {
  readonly bytes: number;
  readonly arrived: Promise<void>;
}

/** Where items go. Each arrives when the caller's queue has it and rejects when the caller is gone. */
export interface ItemSender {
  /** Throws at once when the value cannot be encoded. */
  item(value: unknown, sequence: number): SentItem;
  /** A keep-alive. */
  alive(): Promise<void>;
  /** The end of the stream, with its number of items. */
  end(count: number): Promise<void>;
}

/** What a stream runs in. */
export interface StreamDeps {
  /** What the caller granted; without one it takes whatever comes. */
  readonly credit: Credit | undefined;
  readonly forwarder: ItemSender;
  readonly clock: Clock;
  /** Aborts when the caller left, its deadline passed, or the grace period of the shutdown ended. */
  readonly signal: AbortSignal;
  /** The caller cannot be reached any more: aborts the signal. */
  readonly gone: (reason: Error) => void;
  /** A keep-alive is sent after this idle time, in ms. Default: never. */
  readonly keepAlive: number | undefined;
}

/** How long a reader may take for one item while its stream waits, in ms. */
export const READER_IDLE = 60_000;

/** The longest idle time without a keep-alive, in ms. */
export const KEEP_ALIVE = 10_000;

/**
 * Sends what the generator yields. Resolves with the number of items when all was sent, rejects with what the
 * generator threw, or with the signal's reason when the caller left.
 */
export async function streamOut(items: AsyncIterable<unknown>, context: StreamDeps): Promise<number> {
  const { clock, credit, forwarder, signal } = context;
  const iterator = items[Symbol.asyncIterator]();
  const life = keepAlive(context);
  const stopping = new AbortableWait(signal);
  const inProgress = new UnconfirmedItems();
  let sequence = 0;
  let done = false;
  try {
    for (;;) {
      while (credit && !credit.left) await stopping.or(granted(credit, clock));
      while (inProgress.full) await stopping.or(inProgress.untilFree());
      const next = await stopping.or(iterator.next());
      if (next.done) break;
      credit?.take();
      const { bytes, arrived } = forwarder.item(next.value, ++sequence);
      // Not awaited: a lost caller ends the stream anyhow.
      inProgress.add(bytes, arrived, context.gone);
      life.sign();
    }
    done = true;
    await forwarder.end(sequence);
    return sequence;
  } finally {
    life.stop();
    stopping.forget();
    if (!done) returnIterator(iterator);
  }
}

/** Resolves when the reader has made progress; rejects when it has not within the limit, since a stream occupies one place of the concurrency. */
async function granted(credit: Credit, clock: Clock): Promise<void> {
  let cancel = noop;
  const idle = new Promise<never>((_resolve, reject) => {
    cancel = clock.after(READER_IDLE, () => reject(new ReaderIdleError()));
  });
  await Promise.race([credit.more(), idle]).finally(() => cancel());
}

class ReaderIdleError extends RabbitError {
  constructor() {
    super(
      'WARREN_READER_IDLE',
      `the caller read nothing from the stream for ${READER_IDLE / 1_000} s`,
      'read faster, or request the rest later',
    );
  }
}

/** A keep-alive after each idle time, so that both sides notice when the other is gone. */
function keepAlive({ clock, forwarder, gone, credit, keepAlive: silence }: StreamDeps): {
  readonly sign: () => void;
  readonly stop: () => void;
} {
  if (silence === undefined) return { sign: noop, stop: noop };
  let quietSince = clock.monotonic();
  let cancel = noop;
  const alive = (): void => {
    quietSince = clock.monotonic();
    forwarder.alive().catch(gone);
  };
  const watch = (): void => {
    cancel = clock.after(silence - (clock.monotonic() - quietSince), () => {
      if (clock.monotonic() - quietSince >= silence) alive();
      watch();
    });
  };
  watch();
  if (credit) credit.signOfLife = alive;
  const stop = (): void => {
    cancel();
    if (credit) credit.signOfLife = noop;
  };
  return { sign: () => void (quietSince = clock.monotonic()), stop };
}
