// Who takes the messages of a queue, and in which turn: higher consumer priority first, round robin among equals,
// and only one of them when the queue has a single active consumer.
import type { Held } from './message.js';
import type { Queue } from './queue.js';

/** What a queue knows of a consumer; the channel is behind it. */
export interface Consumer {
  readonly tag: string;
  readonly noAck: boolean;
  readonly exclusive: boolean;
  readonly priority: number;
  /** Unacked messages it may hold; 0 is no limit. */
  readonly prefetch: number;
  /** Identifies its connection in inspect(). */
  readonly connection: number;
  /** Whether it can take a message now. */
  ready(): boolean;
  deliver(queue: Queue, held: Held): void;
  /** The queue is gone. */
  cancelled(): void;
}

interface Group {
  readonly priority: number;
  readonly members: Consumer[];
  turn: number;
}

export class Consumers {
  /** By falling priority; groups are never empty. */
  private readonly groups: Group[] = [];
  private active: Consumer | undefined;

  constructor(private readonly single: boolean) {}

  get count(): number {
    return this.groups.reduce((sum, group) => sum + group.members.length, 0);
  }

  get exclusive(): boolean {
    return this.groups.some((group) => group.members.some((consumer) => consumer.exclusive));
  }

  all(): Consumer[] {
    return this.groups.flatMap((group) => group.members);
  }

  add(consumer: Consumer): void {
    let at = this.groups.findIndex((group) => group.priority <= consumer.priority);
    if (at === -1) at = this.groups.length;
    const group = this.groups[at];
    if (group?.priority === consumer.priority) group.members.push(consumer);
    else this.groups.splice(at, 0, { priority: consumer.priority, members: [consumer], turn: 0 });
    this.active ??= consumer;
  }

  /** False when it was not there. */
  remove(consumer: Consumer): boolean {
    const at = this.groups.findIndex((group) => group.members.includes(consumer));
    const group = this.groups[at];
    if (!group) return false;
    const index = group.members.indexOf(consumer);
    group.members.splice(index, 1);
    if (index < group.turn) group.turn -= 1;
    if (group.members.length === 0) this.groups.splice(at, 1);
    if (this.active === consumer) this.active = this.groups[0]?.members[0];
    return true;
  }

  /** The next consumer in turn that can take a message. */
  next(): Consumer | undefined {
    if (this.single) return this.active?.ready() ? this.active : undefined;
    for (const group of this.groups) {
      const size = group.members.length;
      for (let step = 0; step < size; step += 1) {
        const at = (group.turn + step) % size;
        const consumer = group.members[at];
        if (!consumer.ready()) continue;
        group.turn = (at + 1) % size;
        return consumer;
      }
    }
    return undefined;
  }
}
