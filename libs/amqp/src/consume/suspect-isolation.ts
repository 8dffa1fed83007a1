// Runs suspects one at a time, with nothing of their queue beside them: what runs is finished first, and other suspects
// that are here are put away. So of all messages only the one that runs comes back when the process dies of it.

import type { Clock } from '../runtime/clock.js';
import type { Delivery } from '../message/delivery.js';

/** What running alone needs of its consumer. */
export interface AloneRoom {
  readonly clock: Clock;
  /** Nothing else starts from now on. */
  hold(): void;
  /** Others may start again. */
  release(): void;
  /** Resolves when nothing runs whose message this process holds. */
  quiet(): Promise<void>;
  /** Gives a suspect to the broker for a while, unchanged. Never rejects. */
  putAway(delivery: Delivery): Promise<void>;
  /** Resolves when the broker has taken all acks up to now. Never rejects. */
  settled(): Promise<void>;
  /** It goes back with its channel. */
  leave(delivery: Delivery): void;
  /** Never rejects. */
  run(delivery: Delivery): Promise<void>;
}

/** Others of the queue wait no longer than this for one suspect: what ends a process does so sooner. */
const LONGEST = 30_000;

/** Others may come while some are put away: how often those are put away before one runs all the same. */
const CLEARED = 5;

/** See the top of the file. */
export class Alone {
  private waiting: Delivery[] = [];
  private busy = false;
  private running = false;
  private stopped = false;

  constructor(private readonly room: AloneRoom) {}

  push(delivery: Delivery): void {
    if (this.stopped) return this.room.leave(delivery);
    this.waiting.push(delivery);
    // Those that come while one runs are put away at once: they must not come back with it.
    if (this.running) void this.clear();
    else if (!this.busy) void this.go();
  }

  /** Starts no more; hands out what waits. */
  stop(): Delivery[] {
    this.stopped = true;
    return this.waiting.splice(0);
  }

  /** Forgets what waits: its channel died, and the broker delivers it again. */
  forget(isGone: (delivery: Delivery) => boolean): void {
    this.waiting = this.waiting.filter((delivery) => !isGone(delivery));
  }

  private async go(): Promise<void> {
    this.busy = true;
    this.room.hold();
    await this.atMost(this.room.quiet());
    for (let next = this.waiting.shift(); next; next = this.waiting.shift()) {
      // Until none is left here, since more may come meanwhile.
      this.running = true;
      // What was put away must not come back with it: until the broker has read that, it would.
      for (let times = 0; times < CLEARED; times++) {
        await this.clear();
        await this.atMost(this.room.settled());
        if (this.waiting.length === 0) break;
      }
      if (this.stopped) this.room.leave(next);
      else await this.atMost(this.room.run(next));
      this.running = false;
    }
    this.busy = false;
    this.room.release();
  }

  private async clear(): Promise<void> {
    while (this.waiting.length > 0) {
      await Promise.all(this.waiting.splice(0).map((delivery) => this.room.putAway(delivery)));
    }
  }

  private async atMost(work: Promise<void>): Promise<void> {
    let cancel = (): void => undefined;
    const over = new Promise<void>((resolve) => (cancel = this.room.clock.after(LONGEST, resolve)));
    await Promise.race([work, over]);
    cancel();
  }
}
