// Counts the bytes of all messages that queues hold, each message once however many queues it is in, and raises the
// alarm that blocks publishers when there are too many.
import type { Message } from './message.js';

/** Publishers may go on once this share of the limit is in use again. */
const CALM = 0.8;

export class MemoryMeter {
  private bytes = 0;
  private alarmed = false;

  constructor(
    /** Bytes; Infinity for no limit. */
    private readonly limit: number,
    private readonly onAlarm: (alarmed: boolean) => void,
  ) {}

  get held(): number {
    return this.bytes;
  }

  hold(message: Message): void {
    message.holders += 1;
    if (message.holders > 1) return;
    this.bytes += message.cost;
    if (!this.alarmed && this.bytes > this.limit) this.set(true);
  }

  release(message: Message): void {
    message.holders -= 1;
    if (message.holders > 0) return;
    this.bytes -= message.cost;
    if (this.alarmed && this.bytes <= this.limit * CALM) this.set(false);
  }

  private set(alarmed: boolean): void {
    this.alarmed = alarmed;
    this.onAlarm(alarmed);
  }
}
