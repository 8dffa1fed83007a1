// When to try to connect again, agreed upon by all connections to one broker: while it is away only one of them tries,
// and as soon as it is answered the others follow. So they all come back together, and a broker that starts is not
// asked by each of them.

import type { Clock } from '../runtime/clock.js';

// How long to wait before trying to connect again: doubled each time up to a cap, and spread by chance
// so that a hundred clients of one broker do not come back in the same instant.

/** Wait before attempt `attempt` (0 is the first retry): between half and all of min·2^attempt, at most `max`. */
export function backoff(
  attempt: number,
  min: number,
  max: number,
  random: () => number = Math.random,
): number {
  const full = Math.min(max, min * 2 ** Math.min(attempt, 30));
  return Math.round(full / 2 + (full / 2) * random());
}

/** Shared by the connections of one broker object. */
export class ConnectAttempts {
  /** Which of several addresses to try: the one that answered last, or the one after those that failed. */
  turn = 0;
  private trying: object | undefined;
  private readonly waiting = new Map<object, () => void>();

  /**
   * Resolves when `who` is to try again: after `ms` if no other connection tries meanwhile, else when that attempt
   * has a result.
   */
  async wait(who: object, ms: number, clock: Clock): Promise<void> {
    this.trying ??= who;
    const tries = this.trying === who;
    let cancel: (() => void) | undefined;
    await new Promise<void>((resolve) => {
      this.waiting.set(who, resolve);
      // A consumer whose broker is away has nothing else that keeps its process alive.
      if (tries) cancel = clock.after(ms, resolve, true);
    });
    cancel?.();
    this.waiting.delete(who);
  }

  /** The broker answered `who`: all others try at once. */
  answered(who: object): void {
    if (this.trying === who) this.trying = undefined;
    for (const wake of this.waiting.values()) wake();
  }

  /** The address number `turn` failed, or was lost. Several that find out together move on once. */
  failed(turn: number): void {
    if (this.turn === turn) this.turn++;
  }

  /** `who` does not try any more; it stops waiting, and another one tries instead. */
  leave(who: object): void {
    this.waiting.get(who)?.();
    this.waiting.delete(who);
    if (this.trying !== who) return;
    this.trying = undefined;
    const [next] = this.waiting.values();
    next?.();
  }
}
