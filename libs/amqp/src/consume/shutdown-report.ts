// What a shutdown waits for, said in the log while it waits: whoever sees a deployment hang knows which handler it is.

import { named, type Delivery } from '../message/delivery.js';
import { humanDuration } from '../options/duration.js';
import type { Clock } from '../runtime/clock.js';
import type { Log } from '../runtime/logger.js';

/** A shutdown that takes less says nothing. */
const FIRST = 1_000;
const AGAIN = 5_000;
/** So many handlers are named. */
const NAMED = 5;

/** Logs what `waitsFor` says, after a second and then every five, until the function that it returns is called. */
export function reportWaiting(clock: Clock, logger: Log, waitsFor: () => string | undefined): () => void {
  let cancel: () => void;
  const wait = (ms: number): void => {
    cancel = clock.after(ms, () => {
      const what = waitsFor();
      if (what !== undefined) logger.log(`shutdown: waiting for ${what}`, { event: 'shutdown-waiting' });
      wait(AGAIN);
    });
  };
  wait(FIRST);
  return () => cancel();
}

/** `2 handlers: Orders.place (message m-1 of queue 'orders', 3s), Orders.ship (...)`; undefined for none. */
export function runningHandlers(deliveries: readonly Delivery[], now: number): string | undefined {
  const running = deliveries.filter(({ run }) => run.beganAt > 0);
  if (running.length === 0) return undefined;
  const shown = running.slice(0, NAMED).map((delivery) => {
    const ran = humanDuration(Math.max(0, now - delivery.run.beganAt));
    return `${delivery.handler} (${named(delivery)}, ${ran})`;
  });
  const more = running.length > NAMED ? ` and ${running.length - NAMED} more` : '';
  return `${running.length} ${running.length === 1 ? 'handler' : 'handlers'}: ${shown.join(', ')}${more}`;
}
