// Items of a stream that were sent and not confirmed yet: few enough that large ones do not fill the memory, whatever
// the caller is ready to take.

const ITEMS = 256;
const BYTES = 4 * 1024 * 1024;

/** See the top of the file. */
export class Underway {
  private items = 0;
  private bytes = 0;
  private wake: (() => void) | undefined;

  /** Whether another one may be sent. */
  get full(): boolean {
    return this.items >= ITEMS || this.bytes >= BYTES;
  }

  /** Sent; it is on its way until `arrived` settles. */
  add(bytes: number, arrived: Promise<void>, failed: (error: Error) => void): void {
    this.items++;
    this.bytes += bytes;
    arrived.catch(failed).finally(() => {
      this.items--;
      this.bytes -= bytes;
      if (this.full) return;
      this.wake?.();
      this.wake = undefined;
    });
  }

  /** Resolves when it is not full any more. One may wait at a time. */
  room(): Promise<void> {
    return new Promise((resolve) => (this.wake = resolve));
  }
}
