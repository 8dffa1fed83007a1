// The consumers of a queue and the order in which they get messages: higher consumer priority first, round robin among
// equals, and only one of them when the queue has a single active consumer.
import type { Held } from './message.js';
import { RoundRobin } from './round-robin.js';

/** What a queue knows of a consumer; the channel is behind it. */
export interface Consumer {
  readonly tag: string;
  readonly noAck: boolean;
  readonly exclusive: boolean;
  readonly priority: number;
  /** Maximum number of unacked messages; 0: no limit. */
  readonly prefetch: number;
  /** Identifies its connection in inspect(). */
  readonly connection: number;
  /** How many messages it got and has not settled. */
  readonly holding: number;
  /** Whether it can take a message now. After a no it is not asked again before `Consumers.wake`. */
  ready(): boolean;
  deliver(held: Held): void;
  /** The queue is gone. */
  cancelled(): void;
}

/**
 * Which consumer takes over when a single active consumer has left: the one that came first, or the one of highest
 * priority. `at once`: one of higher priority waits only until the active one holds nothing.
 */
export type Choice = 'by arrival' | 'by priority' | 'by priority at once';

interface Group {
  readonly priority: number;
  readonly members: RoundRobin<Consumer>;
}

export class Consumers {
  /** By falling priority; groups are never empty. */
  private readonly groups: Group[] = [];
  private active: Consumer | undefined;
  private members = 0;
  private exclusives = 0;

  constructor(
    private readonly single: boolean,
    private readonly choice: Choice = 'by priority',
  ) {}

  get count(): number {
    return this.members;
  }

  get exclusive(): boolean {
    return this.exclusives > 0;
  }

  /** Whether it may get messages: all may, unless the queue serves one at a time. */
  isActive(consumer: Consumer): boolean {
    return !this.single || this.current() === consumer;
  }

  all(): Consumer[] {
    return this.groups.flatMap(({ members }) => [...members.all()]);
  }

  add(consumer: Consumer): void {
    const priority = this.rank(consumer);
    let at = this.groups.findIndex((group) => group.priority <= priority);
    if (at === -1) at = this.groups.length;
    if (this.groups[at]?.priority !== priority) {
      this.groups.splice(at, 0, { priority, members: new RoundRobin() });
    }
    this.groups[at].members.add(consumer);
    this.members += 1;
    if (consumer.exclusive) this.exclusives += 1;
    this.active ??= consumer;
  }

  /** False when it was not there. */
  remove(consumer: Consumer): boolean {
    const at = this.groups.findIndex(({ priority }) => priority === this.rank(consumer));
    const members = this.groups[at]?.members;
    if (!members?.remove(consumer)) return false;
    this.members -= 1;
    if (consumer.exclusive) this.exclusives -= 1;
    if (members.size === 0) this.groups.splice(at, 1);
    if (this.active === consumer) this.active = this.first();
    return true;
  }

  /** It refused a message before and may be able to take one now. */
  wake(consumer: Consumer): void {
    this.groups.find(({ priority }) => priority === this.rank(consumer))?.members.wake(consumer);
  }

  /** The next consumer in turn that can take a message. */
  next(): Consumer | undefined {
    if (this.single) return this.nextSingle();
    for (const { members } of this.groups) {
      const consumer = members.next();
      if (consumer) return consumer;
    }
    return undefined;
  }

  private nextSingle(): Consumer | undefined {
    const active = this.current();
    // One that must leave its place to another gets nothing more.
    return active && !this.isOutranked(active) && active.ready() ? active : undefined;
  }

  private current(): Consumer | undefined {
    if (this.active?.holding === 0 && this.isOutranked(this.active)) this.active = this.first();
    return this.active;
  }

  private isOutranked({ priority }: Consumer): boolean {
    return this.choice === 'by priority at once' && this.groups[0].priority > priority;
  }

  private rank({ priority }: Consumer): number {
    return this.single && this.choice === 'by arrival' ? 0 : priority;
  }

  private first(): Consumer | undefined {
    for (const { members } of this.groups) for (const consumer of members.all()) return consumer;
    return undefined;
  }
}
