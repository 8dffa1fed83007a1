// A queue in memory. Array.shift moves all later elements, which takes most of the time with tens of thousands of
// them.

/** First in, first out, at a constant cost. */
export class Fifo<T> {
  /** How many are in it. */
  size = 0;
  private list: (T | undefined)[] = [];
  private head = 0;

  /** The oldest, which stays; or undefined. */
  get first(): T | undefined {
    return this.list[this.head];
  }

  push(value: T): void {
    this.size++;
    this.list.push(value);
  }

  /** Removes and returns the oldest element; or undefined. */
  shift(): T | undefined {
    if (this.size === 0) return undefined;
    this.size--;
    const value = this.list[this.head];
    this.list[this.head++] = undefined;
    if (this.head === this.list.length) this.list.length = this.head = 0;
    else if (this.head > 1_000 && this.head * 2 > this.list.length) this.keep(this.all());
    return value;
  }

  /** Removes and returns all elements, the oldest first. */
  take(): T[] {
    const all = this.all();
    this.keep([]);
    return all;
  }

  /** Removes the elements for which `isGone` returns true. */
  drop(isGone: (value: T) => boolean): void {
    this.keep(this.all().filter((value) => !isGone(value)));
  }

  private all(): T[] {
    return this.list.slice(this.head) as T[];
  }

  private keep(list: T[]): void {
    this.list = list;
    this.head = 0;
    this.size = list.length;
  }
}
