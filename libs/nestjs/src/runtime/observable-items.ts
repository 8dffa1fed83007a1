// An Observable, which pushes, as items that are asked for: for answers that are streamed to a caller who takes them
// at his own pace. By hand: a generator that waits for a value could not be left before the next one comes, which may
// be never.

import type { Observable, Subscription } from 'rxjs';

/** An Observable cannot be told to wait. Beyond so many unread items it is faster than its caller for good. */
const UNREAD_LIMIT = 10_000;

type Result = IteratorResult<unknown, undefined>;

const DONE: Result = { done: true, value: undefined };

/** Whether a value is items: a generator, or anything else that `for await` can read. */
export function isItems(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

/**
 * Its values in order. Leaving the loop unsubscribes at once; an error comes after the values before it. A generator
 * that went through an interceptor is a value of its Observable: its items come in its place.
 */
export function itemsOf(observable: Observable<unknown>): AsyncIterableIterator<unknown> {
  const outer = new ObservableItems(observable);
  let inner: AsyncIterator<unknown> | undefined;
  const next = async (): Promise<IteratorResult<unknown>> => {
    for (;;) {
      const item: IteratorResult<unknown> | undefined = await inner?.next();
      if (item && !item.done) return item;
      inner = undefined;
      const value = await outer.next();
      if (value.done || !isItems(value.value)) return value;
      inner = value.value[Symbol.asyncIterator]();
    }
  };
  const end = async (): Promise<IteratorResult<unknown>> => {
    await Promise.all([inner?.return?.(), outer.return()]);
    return DONE;
  };
  const items = { next, return: end, [Symbol.asyncIterator]: () => items };
  return items;
}

class ObservableItems implements AsyncIterableIterator<unknown, undefined> {
  private readonly unread: unknown[] = [];
  private subscription: Subscription | undefined;
  private ending: { readonly error?: unknown } | undefined;
  private wake = (): void => undefined;

  constructor(private readonly observable: Observable<unknown>) {}

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<Result> {
    this.subscription ??= this.subscribe();
    for (;;) {
      if (this.unread.length > 0) return { done: false, value: this.unread.shift() };
      if (this.ending) break;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    const { ending } = this;
    // An error is told once.
    this.ending = {};
    if ('error' in ending) throw ending.error;
    return DONE;
  }

  return(): Promise<Result> {
    this.unread.length = 0;
    this.end({});
    this.subscription?.unsubscribe();
    return Promise.resolve(DONE);
  }

  private subscribe(): Subscription {
    const subscription = this.observable.subscribe({
      next: (value) => {
        if (this.ending) return;
        if (this.unread.length < UNREAD_LIMIT) {
          this.unread.push(value);
          this.wake();
          return;
        }
        this.end({ error: new Error(`the caller reads too slowly: ${UNREAD_LIMIT} items wait for it`) });
        // The first values may come before subscribe() has returned.
        queueMicrotask(() => subscription.unsubscribe());
      },
      error: (error: unknown) => this.end({ error }),
      complete: () => this.end({}),
    });
    return subscription;
  }

  private end(ending: { readonly error?: unknown }): void {
    this.ending ??= ending;
    this.wake();
  }
}
