// Whether a consumer consumes, and with which prefetch: both can be changed at run time, and both need a new consumer on
// the broker, since a prefetch counts for consumers that begin after it. What is wanted is written down at once; one loop
// makes it so, however often it changes meanwhile.

import type { PausedBy } from '../events/events.js';

/** A pause. `since` is of the monotonic clock. */
export interface Pause {
  readonly by: PausedBy;
  readonly since: number;
}

/** The consumer. */
export interface Switched {
  /** Starts no handlers until `release`. */
  hold(): void;
  release(): void;
  /**
   * Takes no more messages, waits until no handler runs, and gives up the channel with what had not begun. When `calledOff`
   * resolves before that, it goes on as before instead. Resolves to whether the channel was given up. Never rejects.
   */
  halt(calledOff: Promise<void>): Promise<boolean>;
}

interface Signal {
  readonly promise: Promise<void>;
  readonly give: () => void;
}

function signal(): Signal {
  let give = (): void => undefined;
  const promise = new Promise<void>((resolve) => (give = resolve));
  return { promise, give };
}

/** One per consumer. */
export class ConsumerSwitch {
  pause: Pause | undefined;
  /** The prefetch of the channel that is consumed on. */
  private applied: number;
  private narrow = false;
  /** Closed while the consumer stops or has stopped: no channel is opened. */
  private gate: Signal | undefined;
  private halted = false;
  private ended = false;
  private calledOff: Signal | undefined;
  private loop: Promise<void> | undefined;

  constructor(
    /** The prefetch that is wanted. */
    public prefetch: number,
    private readonly consumer: Switched,
    pause?: Pause,
  ) {
    this.applied = prefetch;
    this.pause = pause;
    if (!pause) return;
    consumer.hold();
    this.gate = signal();
    this.halted = true;
  }

  /** Resolves when a channel may be opened: at once, unless it is paused. */
  async opened(): Promise<void> {
    while (this.gate) await this.gate.promise;
  }

  /** Whether it stops, or has stopped. */
  get stopping(): boolean {
    return this.gate !== undefined;
  }

  /** The prefetch that the broker goes by now. */
  get inForce(): number {
    return this.applied;
  }

  /** The prefetch of a channel that is being set up. */
  take(): number {
    this.applied = this.target;
    return this.applied;
  }

  /** Takes what was changed; resolves when it is so. Never rejects. */
  apply(change: {
    readonly pause?: Pause | undefined;
    readonly prefetch?: number;
    readonly narrow?: boolean;
  }): Promise<void> {
    if ('pause' in change) this.pause = change.pause;
    this.prefetch = change.prefetch ?? this.prefetch;
    this.narrow = change.narrow ?? this.narrow;
    if (!this.mustStop) this.calledOff?.give();
    this.loop ??= this.work();
    return this.loop;
  }

  /** Changes nothing any more, for a consumer that ends. */
  end(): void {
    this.ended = true;
    this.calledOff?.give();
  }

  /** Lets through who waits. */
  letGo(): void {
    this.gate?.give();
    this.gate = undefined;
  }

  private get target(): number {
    return this.narrow ? 1 : this.prefetch;
  }

  private get mustStop(): boolean {
    return !this.ended && (this.pause !== undefined || this.target !== this.applied);
  }

  private async work(): Promise<void> {
    // Begun in the next turn, so that the promise of it is there.
    await Promise.resolve();
    try {
      for (;;) {
        if (!this.mustStop) this.open();
        // What starts then may change something at once.
        if (!this.mustStop) break;
        if (!this.gate) {
          this.gate = signal();
          this.consumer.hold();
        }
        if (!this.halted) {
          this.calledOff = signal();
          this.halted = await this.consumer.halt(this.calledOff.promise);
          this.calledOff = undefined;
        } else if (this.pause) {
          break;
        } else {
          this.applied = this.target;
        }
      }
    } finally {
      this.loop = undefined;
    }
  }

  private open(): void {
    const { gate } = this;
    if (!gate) return;
    this.gate = undefined;
    this.halted = false;
    gate.give();
    this.consumer.release();
  }
}
