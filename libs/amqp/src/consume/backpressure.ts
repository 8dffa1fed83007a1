/** What may wait. */
export interface BackpressureLimits {
  readonly messages: number;
  readonly bytes: number;
}

/** Small ones, each of which takes more memory than its body. */
export const WAITING_MESSAGES = 10_000;

/**
 * `ack: 'none'`: the broker pushes and waits for nothing, so what arrived and was not handled yet needs a bound here.
 * At the bound the consumer is cancelled: messages stay in the queue, where they are safe, until half is handled. One
 * per consumer.
 */
export class Backpressure {
  private messages = 0;
  private bytes = 0;
  private holding = false;
  private waiters: (() => void)[] = [];

  constructor(
    /** Ends the flow; what comes to is called when half is handled. Must not reject. */
    private readonly pause: () => Promise<(() => Promise<void>) | undefined>,
    private readonly limits: BackpressureLimits,
  ) {}

  arrived(bytes: number): void {
    this.messages++;
    this.bytes += bytes;
    if (!this.holding && !this.isBelow(1)) void this.hold();
  }

  handled(bytes: number): void {
    this.messages--;
    this.bytes -= bytes;
    if (this.waiters.length > 0 && this.isBelow(0.5)) for (const wake of this.waiters.splice(0)) wake();
  }

  /** Resolves when half of the bound is free, at once unless the flow is paused. */
  untilFree(): Promise<void> {
    if (!this.holding || this.isBelow(0.5)) return Promise.resolve();
    return new Promise((resolve) => this.waiters.push(resolve));
  }

  private async hold(): Promise<void> {
    this.holding = true;
    const resume = await this.pause();
    await this.untilFree();
    this.holding = false;
    await resume?.();
  }

  private isBelow(share: number): boolean {
    return this.messages < share * this.limits.messages && this.bytes < share * this.limits.bytes;
  }
}
