// Items that are asked for and Observables, which push, as one another: for answers that are streamed to a caller who
// takes them at his own pace. By hand: a generator that waits for a value could not be left before the next one comes,
// which may be never.

import { AsyncResource } from 'node:async_hooks';
import { concatMap, isObservable, Observable, of, type Subscription } from 'rxjs';

/** An Observable has no back-pressure. Beyond this many unread items it is faster than its caller for good. */
const UNREAD_LIMIT = 10_000;

/** Items taken in one go when nothing holds them back. */
const BREATH = 1_000;

type Result = IteratorResult<unknown, undefined>;

type Items = Partial<AsyncIterator<unknown> & Iterator<unknown>> & {
  [Symbol.asyncIterator]?: () => AsyncIterator<unknown>;
  [Symbol.iterator]?: unknown;
};

const DONE: Result = { done: true, value: undefined };

/**
 * The iterator of what a handler returned when that is items: a generator of either kind, or anything that `for await`
 * reads. Arrays and other collections are values.
 */
export function iteratorOf(value: unknown): AsyncIterator<unknown> | Iterator<unknown> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const items = value as Items;
  if (typeof items[Symbol.asyncIterator] === 'function') return items[Symbol.asyncIterator]?.();
  const isIterator = typeof items.next === 'function' && typeof items[Symbol.iterator] === 'function';
  return isIterator ? (value as Iterator<unknown>) : undefined;
}

/** How a caller who reads at his own pace reaches the generator at the other end of an Observable. */
export class Demand {
  private readonly waiting: (() => void)[] = [];
  private held = false;

  /** Until the next `ask`, no further item is taken. */
  hold(): void {
    this.held = true;
  }

  /** One more item is wanted, or as many as it takes until one arrives. */
  ask(): void {
    this.held = false;
    for (const go of this.waiting.splice(0)) go();
  }

  /** Resolves when a further item may be taken; undefined when it may at once. */
  granted(): Promise<void> | undefined {
    return this.held ? new Promise((resolve) => this.waiting.push(resolve)) : undefined;
  }
}

/**
 * What a handler returned, as interceptors should see it: items as an Observable of them, which takes no more from its
 * generator than `demand` grants, and lets go of it when it is unsubscribed.
 */
export function observed(value: unknown, demand: Demand): unknown {
  // An Observable may hold generators too: what is in them must not pass interceptors unseen.
  if (isObservable(value)) return value.pipe(concatMap((each) => inItems(each, demand) ?? of(each)));
  return inItems(value, demand) ?? value;
}

function inItems(value: unknown, demand: Demand): Observable<unknown> | undefined {
  const iterator = iteratorOf(value);
  if (!iterator) return undefined;
  // The AsyncLocalStorage that interceptors set for a message applies to every item, whoever reads it.
  const scope = new AsyncResource('warren:items');
  return new Observable((subscriber) => {
    let over = false;
    const run = async (): Promise<void> => {
      for (let count = 1; ; count++) {
        await demand.granted();
        if (subscriber.closed) return;
        const item: IteratorResult<unknown> = await scope.runInAsyncScope(() => iterator.next());
        over ||= item.done === true;
        if (item.done) return subscriber.complete();
        subscriber.next(await item.value);
        // A generator that never waits for anything must not keep the process from everything else.
        if (count % BREATH === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    };
    run().catch((error: unknown) => {
      over = true;
      subscriber.error(error);
    });
    return () => {
      if (!over) scope.runInAsyncScope(letGo, undefined, iterator);
    };
  });
}

// Not awaited: a generator in the middle of a long wait comes to its `finally` when that wait is over.
function letGo(iterator: AsyncIterator<unknown> | Iterator<unknown>): void {
  try {
    Promise.resolve(iterator.return?.()).catch(() => undefined);
  } catch {
    // There is no caller left to get the error.
  }
}

/**
 * Its values in order, taken on demand. Leaving the loop unsubscribes at once; an error comes after the values before
 * it. A generator that an interceptor put into the Observable is replaced by its items.
 */
export function itemsOf(
  observable: Observable<unknown>,
  demand: Demand = new Demand(),
): AsyncIterableIterator<unknown> {
  const outer = new ObservableItems(observable, demand);
  let inner: AsyncIterator<unknown> | Iterator<unknown> | undefined;
  const next = async (): Promise<IteratorResult<unknown>> => {
    for (;;) {
      const item: IteratorResult<unknown> | undefined = await inner?.next();
      if (item && !item.done) return { done: false, value: await item.value };
      inner = undefined;
      const value = await outer.next();
      if (value.done) return value;
      inner = iteratorOf(value.value);
      if (!inner) return value;
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

  constructor(
    private readonly observable: Observable<unknown>,
    private readonly demand: Demand,
  ) {
    demand.hold();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<Result> {
    this.subscription ??= this.subscribe();
    for (;;) {
      if (this.unread.length > 0) return { done: false, value: this.unread.shift() };
      if (this.ending) break;
      this.demand.ask();
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
        this.demand.hold();
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
