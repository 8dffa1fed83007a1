// An Observable, which pushes, as items that are asked for: for answers that are streamed to a caller who takes them
// at his own pace.

import type { Observable } from 'rxjs';

/** An Observable cannot be told to wait. Beyond so many unread items it is faster than its caller for good. */
const UNREAD_LIMIT = 10_000;

/** Its values in order. Leaving the loop unsubscribes; an error comes after the values before it. */
export async function* itemsOf(observable: Observable<unknown>): AsyncGenerator<unknown, void, undefined> {
  const unread: unknown[] = [];
  let ending: { readonly error?: unknown } | undefined;
  let wake = (): void => undefined;
  const subscription = observable.subscribe({
    next: (value) => {
      if (unread.length === UNREAD_LIMIT) {
        ending = { error: new Error(`the caller reads too slowly: ${UNREAD_LIMIT} items wait for it`) };
        // The first values may come before subscribe() has returned.
        queueMicrotask(() => subscription.unsubscribe());
      } else if (!ending) {
        unread.push(value);
      }
      wake();
    },
    error: (error: unknown) => {
      ending ??= { error };
      wake();
    },
    complete: () => {
      ending ??= {};
      wake();
    },
  });
  try {
    for (;;) {
      while (unread.length > 0) yield unread.shift();
      if (ending && 'error' in ending) throw ending.error;
      if (ending) return;
      await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    subscription.unsubscribe();
  }
}
