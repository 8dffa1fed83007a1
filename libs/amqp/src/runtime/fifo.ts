// A queue in memory. Array.shift moves what is behind it, and with tens of thousands that is most of the time spent.

/** First in, first out, each at the same cost however many there are. */
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

  /** The oldest, or undefined. */
  shift(): T | undefined {
    if (this.size === 0) return undefined;
    this.size--;
    const value = this.list[this.head];
    this.list[this.head++] = undefined;
    if (this.head === this.list.length) this.list.length = this.head = 0;
    else if (this.head > 1_000 && this.head * 2 > this.list.length) this.keep(this.all());
    return value;
  }

  /** Takes all out, the oldest first. */
  take(): T[] {
    const all = this.all();
    this.keep([]);
    return all;
  }

  /** Takes out those that `isGone` says. */
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
