// How long the event loop of a process let its timers wait, from `begin` to `end`.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';

/** The shortest that Node has, in milliseconds. */
const RESOLUTION = 1;
const NANOSECONDS = 1e6;

/** What `end` resolves with are milliseconds beyond the timer's own: of 99 in 100 of them at most, and the longest. */
export function loopDelays() {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION });
  /** @param {number} nanoseconds */
  const beyond = (nanoseconds) => Math.max(0, nanoseconds / NANOSECONDS - RESOLUTION);
  return {
    begin: () => void histogram.enable(),
    async end() {
      // The turn that is under way counts when its timer was late.
      await pause(3 * RESOLUTION);
      histogram.disable();
      return { delay: beyond(histogram.percentile(99)), longest: beyond(histogram.max) };
    },
  };
}
