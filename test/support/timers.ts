// The timers that would keep a process alive.

import { systemClock, type Clock } from '@warren/amqp';

/** A clock, and how many of its timers that keep the process alive have neither fired nor been cancelled. */
export function countedTimers(): { readonly clock: Clock; readonly count: () => number } {
  const pending = new Set<object>();
  const after: Clock['after'] = (ms, callback, keepAlive) => {
    if (!keepAlive) return systemClock.after(ms, callback);
    const timer = {};
    pending.add(timer);
    const cancel = systemClock.after(ms, () => (pending.delete(timer), callback()), true);
    return () => (pending.delete(timer), cancel());
  };
  return { clock: { ...systemClock, after }, count: () => pending.size };
}
