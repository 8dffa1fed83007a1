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
