// What is due next, by time and, at the same time, by the order in which it was added: a binary heap, since a test may
// have many thousands of timers.

interface Due {
  readonly at: number;
  readonly order: number;
}

export class DueList<T extends Due> {
  private readonly heap: T[];

  constructor(all: Iterable<T>) {
    // A sorted list is a heap.
    this.heap = [...all].sort((one, other) => (isBefore(one, other) ? -1 : 1));
  }

  peek(): T | undefined {
    return this.heap[0];
  }

  push(one: T): void {
    const { heap } = this;
    let at = heap.push(one) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(one, heap[parent])) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = one;
  }

  shift(): T | undefined {
    const { heap } = this;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child += 1;
      if (!isBefore(heap[child], last)) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(one: Due, other: Due): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}
