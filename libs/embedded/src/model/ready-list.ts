// The ready messages of a queue in order. New ones go to a first-in-first-out list, returned ones to a small heap
// ordered by position in front of it, so that a requeue finds its old place without a walk through the queue.
import type { Held } from './message.js';

/** Below this the consumed front of the list is not worth cutting off. */
const COMPACT_AT = 1024;

export class ReadyList {
  private fresh: (Held | undefined)[] = [];
  private head = 0;
  private readonly returned: Held[] = [];

  get size(): number {
    return this.fresh.length - this.head + this.returned.length;
  }

  push(held: Held): void {
    this.fresh.push(held);
  }

  /** Puts a message back according to its position. */
  putBack(held: Held): void {
    const heap = this.returned;
    let at = heap.push(held) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent].position <= held.position) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = held;
  }

  /** The next message, left where it is. */
  peek(): Held | undefined {
    const first = this.returned[0];
    const fresh = this.fresh[this.head];
    if (!first) return fresh;
    return fresh && fresh.position < first.position ? fresh : first;
  }

  shift(): Held | undefined {
    const next = this.peek();
    if (!next) return undefined;
    if (next === this.returned[0]) this.popReturned();
    else this.dropFresh();
    return next;
  }

  private dropFresh(): void {
    this.fresh[this.head] = undefined;
    this.head += 1;
    if (this.head === this.fresh.length) {
      this.fresh = [];
      this.head = 0;
    } else if (this.head >= COMPACT_AT && this.head * 2 >= this.fresh.length) {
      this.fresh = this.fresh.slice(this.head);
      this.head = 0;
    }
  }

  private popReturned(): void {
    const heap = this.returned;
    const last = heap.pop() as Held;
    const size = heap.length;
    if (size === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && heap[child + 1].position < heap[child].position) child += 1;
      if (heap[child].position >= last.position) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
  }
}
