// The ready messages of a queue with priorities: one list per level, highest first. A queue without priorities has
// the one level 0 and pays nothing for the others.
import type { Held } from './message.js';
import { ReadyList } from './ready-list.js';

export class PriorityList {
  private readonly levels: ReadyList[];
  private count = 0;
  private bodyBytes = 0;

  constructor(private readonly maxPriority: number) {
    this.levels = [new ReadyList()];
  }

  get size(): number {
    return this.count;
  }

  /** Bytes of the bodies, which is what length limits in bytes count. */
  get bytes(): number {
    return this.bodyBytes;
  }

  push(held: Held): void {
    this.add(held).push(held);
  }

  putBack(held: Held): void {
    this.add(held).putBack(held);
  }

  peek(): Held | undefined {
    return this.highest()?.peek();
  }

  shift(): Held | undefined {
    const held = this.highest()?.shift();
    if (held) this.remove(held);
    return held;
  }

  /** Takes messages from the head of each level for as long as the test holds there. */
  *takeWhile(test: (held: Held) => boolean): Generator<Held> {
    for (let level = this.levels.length - 1; level >= 0; level -= 1) {
      const list = this.levels[level];
      for (let held = list.peek(); held; held = list.peek()) {
        if (!test(held)) return;
        list.shift();
        this.remove(held);
        yield held;
      }
    }
  }

  private add(held: Held): ReadyList {
    this.count += 1;
    this.bodyBytes += held.message.body.length;
    const level = Math.min(held.priority, this.maxPriority);
    while (this.levels.length <= level) this.levels.push(new ReadyList());
    return this.levels[level];
  }

  private remove(held: Held): void {
    this.count -= 1;
    this.bodyBytes -= held.message.body.length;
  }

  private highest(): ReadyList | undefined {
    if (this.count === 0) return undefined;
    for (let level = this.levels.length - 1; level > 0; level -= 1) {
      const list = this.levels[level];
      if (list.size > 0) return list;
    }
    return this.levels[0];
  }
}
