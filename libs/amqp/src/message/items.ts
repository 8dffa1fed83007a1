// What a handler returns is a value, or it is something that has yet to be run: items that nobody has taken, a
// function that nobody has called. Taken for values, their work would never be done and nobody would learn it.

import { returnIterator, AbortableWait } from '../runtime/abort-signals.js';
import type { Delivery } from './delivery.js';

type Iterating = Partial<Iterator<unknown>> & {
  readonly [Symbol.asyncIterator]?: () => AsyncIterator<unknown>;
  readonly [Symbol.iterator]?: unknown;
};

/**
 * A value as items: a generator of either kind, or anything that `for await` reads. Undefined for others; arrays and
 * other collections are values.
 */
export function itemsIn(value: unknown): AsyncIterable<unknown> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const items = value as Iterating;
  if (typeof items[Symbol.asyncIterator] === 'function') return value as AsyncIterable<unknown>;
  const isIterator = typeof items.next === 'function' && typeof items[Symbol.iterator] === 'function';
  return isIterator ? awaited(value as Iterator<unknown>) : undefined;
}

/** A plain generator as an async one. What it yields may be promises. */
function awaited(iterator: Iterator<unknown>): AsyncIterable<unknown> {
  const resolved = async (result: IteratorResult<unknown> | undefined): Promise<IteratorResult<unknown>> => {
    if (!result || result.done) return { done: true, value: undefined };
    return { done: false, value: await result.value };
  };
  return {
    [Symbol.asyncIterator]: () => ({
      next: async () => resolved(iterator.next()),
      return: async () => resolved(iterator.return?.()),
    }),
  };
}

/** What a value is when it has yet to be run, in words; undefined for any other value. */
export function unrun(value: unknown): string | undefined {
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return undefined;
  if (itemsIn(value)) return 'a generator or another iterator';
  const { subscribe, pipe } = value as { readonly subscribe?: unknown; readonly pipe?: unknown };
  return typeof subscribe === 'function' && typeof pipe === 'function' ? 'an Observable' : undefined;
}

/** Whether a function is a generator function: calling it runs none of its body. */
export function isGeneratorFunction(value: unknown): boolean {
  return typeof value === 'function' && /Generator/.test(Object.prototype.toString.call(value));
}

/** Items taken in one go. */
const BREATH = 1_000;

/** The last item of all, for a caller who asked for one answer. */
export async function lastOf(items: AsyncIterable<unknown>, { signal }: Delivery): Promise<unknown> {
  const iterator = items[Symbol.asyncIterator]();
  const stopping = new AbortableWait(signal);
  let last: unknown;
  let done = false;
  try {
    for (let count = 1; ; count++) {
      const next = await stopping.or(iterator.next());
      if (next.done) break;
      last = next.value;
      // A generator that never waits for anything must not keep the process from everything else.
      if (count % BREATH === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    done = true;
    return last;
  } finally {
    stopping.forget();
    if (!done) returnIterator(iterator);
  }
}
