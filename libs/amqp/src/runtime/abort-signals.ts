// Listeners of signals that live long. However many publishes and calls share one signal, Node sees one listener: it
// would take many for a leak and say so. When none of ours is left, nothing of ours is on the signal.

const noop = (): void => undefined;

/**
 * Waiting that ends when a signal aborts. One promise for a whole stream would keep every item that was ever
 * waited for beside it, so whoever waits is remembered only for as long as it does. Waits for one thing at a
 * time; `forget` it at the end.
 */
export class AbortableWait {
  private reject: (reason: unknown) => void = noop;

  constructor(private readonly signal: AbortSignal) {
    signal.addEventListener('abort', this.onAbort, { once: true });
  }

  /** What `work` comes to, or the signal's reason as soon as it aborts. */
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
 * Tells an iterator that nothing more is wanted. Not awaited: a generator in the middle of a long wait comes to its
 * `finally` when that wait is over.
 */
export function returnIterator(iterator: AsyncIterator<unknown>): void {
  try {
    Promise.resolve(iterator.return?.()).catch(noop);
  } catch {
    // It was made by hand, and nobody waits for what it has to say.
  }
}

/** Who hears of an abort. */
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

/** Tells `listener` once when the signal aborts. */
export function onAbort(signal: AbortSignal, listener: AbortListener): void {
  let listeners = all.get(signal);
  if (!listeners) all.set(signal, (listeners = new Listeners()));
  if (listeners.waiting.size === 0) signal.addEventListener('abort', listeners, { once: true });
  listeners.waiting.add(listener);
}

/** It need not hear of it any more. */
export function offAbort(signal: AbortSignal, listener: AbortListener): void {
  const listeners = all.get(signal);
  if (!listeners?.waiting.delete(listener) || listeners.waiting.size > 0) return;
  signal.removeEventListener('abort', listeners);
}
