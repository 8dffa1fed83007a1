// Lines of the log that one mishap could write by the thousand: the first of them tell what happened, and later ones
// how many there were.

import type { Clock } from './clock.js';

const LINES = 20;
const PERIOD = 10_000;

/** Lets so many lines through in each period, in all. */
export class LogLimiter {
  private since = -Infinity;
  private written = 0;
  private leftOut = 0;

  constructor(private readonly clock: Clock) {}

  say(write: (line: string) => void, line: string): void {
    const now = this.clock.monotonic();
    if (now - this.since >= PERIOD) {
      if (this.leftOut > 0) write(`${this.leftOut} lines like the next one were left out`);
      [this.since, this.written, this.leftOut] = [now, 0, 0];
    }
    if (this.written++ < LINES) write(line);
    else this.leftOut++;
  }
}
