// The ready messages of a queue with priorities: one list per level, highest first. A queue without priorities has
// the one level 0 and pays nothing for the others.
import type { Held } from './message.js';
import { ReadyList } from './ready-list.js';

export class PriorityList {
  private readonly levels: ReadyList[];
  /** No level above this one holds anything. */
  private top = 0;
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
    return this.highest().peek();
  }

  shift(): Held | undefined {
    const held = this.highest().shift();
    if (held) this.remove(held);
    return held;
  }

  private add(held: Held): ReadyList {
    this.count += 1;
    this.bodyBytes += held.message.body.length;
    const level = Math.min(held.priority, this.maxPriority);
    while (this.levels.length <= level) this.levels.push(new ReadyList());
    if (level > this.top) this.top = level;
    return this.levels[level];
  }

  private remove(held: Held): void {
    this.count -= 1;
    this.bodyBytes -= held.message.body.length;
  }

  private highest(): ReadyList {
    while (this.top > 0 && this.levels[this.top].size === 0) this.top -= 1;
    return this.levels[this.top];
  }
}
