// Listeners of long-lived signals. However many publishes and calls share one signal, Node sees one listener: it
// would report many as a leak. When none of ours is left, that listener is removed.

const noop = (): void => undefined;

/**
 * Waits that end when a signal aborts. One promise for a whole stream would retain every item that was awaited beside
 * it, so a waiter is registered only while it waits. Waits for one thing at a time; call `forget` at the end.
 */
export class AbortableWait {
  private reject: (reason: unknown) => void = noop;

  constructor(private readonly signal: AbortSignal) {
    signal.addEventListener('abort', this.onAbort, { once: true });
  }

  /** The result of `work`, or the signal's reason as soon as it aborts. */
  or<T>(work: PromiseLike<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.reject = reject;
      work.then(resolve, reject);
      if (this.signal.aborted) this.onAbort();
    });
  }

  forget(): void {
    this.signal.removeEventListener('abort', this.onAbort);
    this.reject = noop;
  }

  private readonly onAbort = (): void => this.reject(this.signal.reason);
}

/**
 * Tells an iterator that no more items are needed. Not awaited: a generator in the middle of a long wait reaches its
 * `finally` when that wait is over.
 */
export function returnIterator(iterator: AsyncIterator<unknown>): void {
  try {
    Promise.resolve(iterator.return?.()).catch(noop);
  } catch {
    // A custom iterator may reject here, and no caller is interested.
  }
}

/** A listener of an abort. */
export type AbortListener = (() => void) | { handleEvent(): void };

const all = new WeakMap<AbortSignal, Listeners>();

class Listeners {
  readonly waiting = new Set<AbortListener>();

  handleEvent(): void {
    for (const listener of [...this.waiting]) {
      if (!this.waiting.delete(listener)) continue;
      if (typeof listener === 'function') listener();
      else listener.handleEvent();
    }
  }
}

/** Calls `listener` once when the signal aborts. */
export function onAbort(signal: AbortSignal, listener: AbortListener): void {
  let listeners = all.get(signal);
  if (!listeners) all.set(signal, (listeners = new Listeners()));
  if (listeners.waiting.size === 0) signal.addEventListener('abort', listeners, { once: true });
  listeners.waiting.add(listener);
}

/** Removes the listener. */
export function offAbort(signal: AbortSignal, listener: AbortListener): void {
  const listeners = all.get(signal);
  if (!listeners?.waiting.delete(listener) || listeners.waiting.size > 0) return;
  signal.removeEventListener('abort', listeners);
}
