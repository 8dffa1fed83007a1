// Listeners of signals that live long. However many publishes and calls share one signal, Node sees one listener: it
// would take many for a leak and say so. When none of ours is left, nothing of ours is on the signal.

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
