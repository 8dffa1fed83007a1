// Numbers on their way through a cluster, and the book about them: what was confirmed must be handled or be a dead
// letter in the end, whatever became of the nodes meanwhile. Some numbers fail once, some for good.

import { Reject } from '@warren/amqp';
import type { RabbitMQCluster } from '../../../tools/rabbitmq-cluster.mjs';
import { until, within } from '../../support/events.js';
import { warren, type Warren } from '../../support/warren.js';

const PUBLISHERS = 4;
const LIMIT = 60_000;
const WAIT = 2_000;

/** What the book says at the end. */
export interface Account {
  readonly confirmed: number;
  readonly rejected: number;
  readonly duplicates: number;
  readonly lost: readonly number[];
  /** How much later than its wait the latest retry came, in ms. */
  readonly latest: number;
  /** Longest time without a confirm, and without a handled message, in ms. */
  readonly silence: { readonly publishing: number; readonly consuming: number };
}

/** Publishes and consumes until it is told to end. */
export class Flow {
  readonly queue: string;
  readonly rabbit: Warren;
  /** Takes the dead letters, from the end on. */
  private readonly undertaker: Warren;
  private readonly confirmed: number[] = [];
  private readonly rejected: unknown[] = [];
  private readonly handled = new Map<number, number>();
  private readonly dead = new Set<number>();
  private readonly times = { publishing: [performance.now()], consuming: [performance.now()] };
  private publishers: Promise<void>[] = [];
  private next = 0;
  private retried = 0;
  /** When the wait of a number that failed is over. */
  private readonly due = new Map<number, number>();
  private latest = 0;
  private going = true;

  constructor(cluster: RabbitMQCluster, queue: string) {
    this.queue = queue;
    const options = {
      url: [...cluster.urls],
      heartbeat: '1s',
      queueType: 'quorum',
      connectTimeout: '2s',
    } as const;
    this.undertaker = warren('', { ...options, startupTimeout: LIMIT }).consume(
      `${queue}.dead`,
      ({ payload }) => void this.dead.add(Number(payload)),
      { deadLetter: false, retry: false, declare: 'check' },
    );
    this.rabbit = warren('', { ...options, startupTimeout: LIMIT }).consume(
      queue,
      ({ payload, attempt }) => this.handle(Number(payload), attempt),
      {
        retry: { attempts: 5, delays: WAIT, jitter: false },
      },
    );
  }

  async start(): Promise<void> {
    await this.rabbit.open();
    this.publishers = Array.from({ length: PUBLISHERS }, () => this.publish());
    await this.progress();
    // Retries have come back: RabbitMQ may forget what is in a quorum queue that was declared a second ago.
    await until(() => this.retried > 10, 'the first retries', LIMIT);
  }

  /** Both directions move from here on. */
  async progress(limit = LIMIT): Promise<void> {
    const [confirmed, handled] = [this.confirmed.length, this.handled.size];
    const moved = (): boolean => this.confirmed.length > confirmed + 20 && this.handled.size > handled + 20;
    const stalled = (): string => {
      const [to, of] = [this.confirmed.length - confirmed, this.handled.size - handled];
      return `only ${to} confirmed and ${of} handled; rejected: ${[...new Set(this.rejected.map(String))].join('; ')}`;
    };
    await until(moved, 'messages to be confirmed and handled', limit).catch((error: unknown) => {
      throw new Error(`${String(error)} ${stalled()}\n${this.rabbit.lines.slice(-20).join('\n')}`);
    });
  }

  /** Stops publishing; resolves when all that was confirmed has ended somewhere, or with what is lost. */
  async end(patience = LIMIT): Promise<Account> {
    this.going = false;
    await within(Promise.all(this.publishers), 'every publish to settle', LIMIT);
    await this.undertaker.open();
    const lost = (): number[] => this.confirmed.filter((n) => !this.handled.has(n) && !this.dead.has(n));
    await until(() => lost().length === 0, 'all that was confirmed', patience).catch(() => undefined);
    const runs = [...this.handled.values()];
    return {
      confirmed: this.confirmed.length,
      rejected: this.rejected.length,
      duplicates: runs.reduce((sum, count) => sum + count - 1, 0),
      lost: lost(),
      latest: Math.round(this.latest),
      silence: { publishing: longest(this.times.publishing), consuming: longest(this.times.consuming) },
    };
  }

  private handle(n: number, attempt: number): void {
    if (n % 50 === 7) throw Reject('for good');
    const now = performance.now();
    if (n % 10 === 3 && attempt === 1) {
      this.due.set(n, now + WAIT);
      throw new Error('once');
    }
    if (attempt > 1) {
      this.retried++;
      this.latest = Math.max(this.latest, now - (this.due.get(n) ?? now));
    }
    this.handled.set(n, (this.handled.get(n) ?? 0) + 1);
    this.times.consuming.push(performance.now());
  }

  private async publish(): Promise<void> {
    while (this.going) {
      const n = this.next++;
      await this.rabbit.broker.send(this.queue, n).then(
        () => {
          this.confirmed.push(n);
          this.times.publishing.push(performance.now());
        },
        (error: unknown) => this.rejected.push(error),
      );
      await paced();
    }
  }
}

function paced(): Promise<void> {
  // waits: some hundred messages a second are enough for the book, and leave the machine to the nodes.
  return new Promise((resolve) => setTimeout(resolve, 10));
}

function longest(times: readonly number[]): number {
  return Math.round(Math.max(...times.slice(1).map((time, index) => time - times[index])));
}
