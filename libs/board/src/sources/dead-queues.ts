// The view Dead letters, before a queue is read: which dead-letter queues there are, and how long they are.

import { type Broker, systemClock } from '@warren/nestjs';
import type { Unknown } from '../api/answers.js';
import type { DeadQueueRow, DeadQueuesAnswer } from '../api/dead-letters.js';
import type { Instances } from './instances.js';
import { ownQueue } from './letters.js';
import { deadLettersOf, type Management } from './management.js';
import type { Readings } from './readings.js';

/** Queues that are counted one by one, without the management API. */
const MOST_COUNTED = 30;

/** A count is good for so long, in ms. */
const FRESH = 5_000;

type Counted = Pick<DeadQueueRow, 'messages' | 'error'>;

const NOT_COUNTED: Counted = { messages: null, error: 'not counted: there are too many queues' };
const HELD: Counted = { messages: null, error: 'not counted: they are being read, replayed or dropped' };

/** See above. */
export class DeadQueues {
  private readonly counts = new Map<string, { readonly at: number; readonly count: Promise<Counted> }>();

  constructor(
    private readonly broker: Broker,
    private readonly instances: Instances,
    private readonly management: Management,
    private readonly readings: Readings,
  ) {}

  /** See DeadQueuesAnswer. */
  async view(): Promise<DeadQueuesAnswer> {
    const found = await this.names();
    const managed = await this.management.queues();
    const lengths = new Map(managed.list?.map(({ name, messages }) => [name, messages]));
    const unknown: Unknown[] = [];
    if (!managed.list)
      unknown.push(this.management.lack('dead-letter queues of other programs', managed.why));
    let left = MOST_COUNTED;
    const queues = await Promise.all(
      found.slice(0, 500).map(async ({ queue, handlers }): Promise<DeadQueueRow> => {
        const length = lengths.get(queue);
        const counted =
          length !== undefined
            ? { messages: length, error: null }
            : left-- > 0
              ? await this.count(queue)
              : NOT_COUNTED;
        const reading = this.readings.latest(queue);
        return {
          queue,
          of: ownQueue(queue),
          handlers,
          ...counted,
          reading: reading?.facts ?? null,
          groups: reading?.groups.slice(0, 20) ?? [],
        };
      }),
    );
    queues.sort(
      (one, other) => (other.messages ?? -1) - (one.messages ?? -1) || (one.queue < other.queue ? -1 : 1),
    );
    return { at: systemClock.wall(), unknown, queues };
  }

  /** Those of the handlers of all instances, and what the management API finds. */
  async names(): Promise<{ queue: string; handlers: string[] }[]> {
    const { instances } = await this.instances.all();
    const names = new Map<string, string[]>();
    for (const { from, info } of instances)
      for (const { id, deadQueue } of info?.handlers ?? []) {
        // Another program may have answered: a working queue is not to be read here.
        if (typeof deadQueue !== 'string' || !deadQueue.endsWith('.dead')) continue;
        const known = names.get(deadQueue) ?? [];
        const handler = `${from.service} ${id}`;
        if (!known.includes(handler)) names.set(deadQueue, [...known, handler]);
      }
    for (const { name } of (await this.management.queues()).list ?? [])
      if (name.endsWith('.dead') && !names.has(name)) names.set(name, []);
    return [...names].map(([queue, handlers]) => ({ queue, handlers }));
  }

  private count(queue: string): Promise<Counted> {
    // Those that are held are not counted by the broker.
    if (this.readings.isHeld(queue)) return Promise.resolve(HELD);
    const now = systemClock.monotonic();
    const known = this.counts.get(queue);
    if (known && now - known.at < FRESH) return known.count;
    const count = deadLettersOf(this.broker, { exact: true })
      .count(queue)
      .then(
        (messages): Counted => ({ messages, error: null }),
        (error: Error): Counted => ({ messages: null, error: error.message.slice(0, 300) }),
      );
    if (this.counts.size >= 500) this.counts.clear();
    this.counts.set(queue, { at: now, count });
    return count;
  }
}
