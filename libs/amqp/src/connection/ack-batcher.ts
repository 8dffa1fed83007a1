import type { ChannelTraffic, Collected } from './fast-path/channel-traffic.js';

type Mark = 'open' | 'done' | 'gone';

/** How many marks are kept behind a delivery that stays open. */
const MOST = 10_000;

/** How long an ack waits for others, in ms. */
const PATIENCE = 2;

/** After how many ms a quorum queue has taken all acks. */
const APPLIED = 2_000;

/**
 * Acks of one channel, collected during a turn of the event loop. The finished ones from the oldest on leave
 * as one frame for all of them, those behind a handler that still runs each as their own. Bounded: MOST
 * marks, and the open deliveries before them, which are at most the prefetch.
 *
 * One ack for many messages costs as much as for one, here and at the broker. The first one after a pause leaves at
 * once; those that follow on its heels wait for each other, but never so long that the broker, which delivers only so
 * many without an ack, would have to wait for them.
 */
export class AckBatcher implements Collected {
  /** Frames that were sent without a pause between. */
  frames = 0;
  private marks: Mark[] = [];
  /** The delivery tag of the first mark. */
  private first = 1;
  private head = 0;
  /** Open deliveries that are older than all marks: until they are settled, every ack leaves on its own. */
  private readonly stragglers = new Set<number>();
  private done: number[] = [];
  /** They wait for the end of a turn, */
  private turn = false;
  /** and until there are so many, */
  private enough = 1;
  /** or their time is over since the last ones left. */
  private timer: NodeJS.Timeout | undefined;
  private flushedAt = -Infinity;
  private ended = false;

  /** `channel` sends each ack, and tells when a turn ends; `most` as above. */
  constructor(
    private readonly channel: Pick<ChannelTraffic, 'ack' | 'settling'>,
    private readonly most = MOST,
  ) {}

  /** How many messages the broker delivers without an ack. With few it would wait for each of them. */
  prefetch(count: number): void {
    this.enough = count < 20 ? 1 : Math.floor(count / 2);
  }

  /** A message that the broker waits for. Tags count up by one. */
  delivered(deliveryTag: number): void {
    if (this.head === this.marks.length) {
      this.marks.length = this.head = 0;
      this.first = deliveryTag;
    } else if (this.marks.length - this.head >= this.most) {
      this.advance();
      if (this.marks.length - this.head >= this.most) this.passOver();
    }
    this.marks.push('open');
  }

  /** It is acked soon, together with others. */
  add(deliveryTag: number): void {
    this.mark(deliveryTag, 'done');
    this.done.push(deliveryTag);
    if (this.turn) return;
    this.turn = true;
    this.channel.settling(this);
  }

  /** How many deliveries are remembered. */
  get remembered(): number {
    return this.marks.length + this.stragglers.size;
  }

  /** Settled by another frame. */
  gone(deliveryTag: number): void {
    this.mark(deliveryTag, 'gone');
    this.advance();
  }

  atTurnsEnd(): void {
    this.turn = false;
    const rested = performance.now() - this.flushedAt >= PATIENCE;
    if (rested || this.done.length >= this.enough) this.flush();
    else if (!this.ended) this.timer ??= setTimeout(() => this.flush(), PATIENCE);
  }

  /** Sends what was collected. */
  flush(): void {
    const { done } = this;
    clearTimeout(this.timer);
    this.timer = undefined;
    const now = performance.now();
    if (now - this.flushedAt > APPLIED) this.frames = 0;
    this.flushedAt = now;
    if (done.length === 0 || this.ended) return;
    this.done = [];
    const advanced = this.advance();
    // An ack of all up to one would name them, too.
    const upTo = this.stragglers.size === 0 ? advanced : 0;
    if (upTo > 0) {
      this.frames++;
      this.channel.ack(upTo, true);
    }
    for (const tag of done) {
      if (tag <= upTo) continue;
      this.mark(tag, 'gone');
      this.frames++;
      this.channel.ack(tag, false);
    }
  }

  /** The channel is gone or going: nothing leaves any more. */
  end(): void {
    this.ended = true;
    clearTimeout(this.timer);
  }

  /** Takes away what is settled from the oldest on. The last one of it that is not acked yet, or 0. */
  private advance(): number {
    const { marks } = this;
    let last = 0;
    while (this.head < marks.length && marks[this.head] !== 'open') {
      if (marks[this.head] === 'done') last = this.first + this.head;
      this.head++;
    }
    if (this.head > 1_000 && this.head * 2 > marks.length) {
      marks.splice(0, this.head);
      this.first += this.head;
      this.head = 0;
    }
    return last;
  }

  /** The first mark is of one that takes long: it is kept apart, so that those behind it need not be kept. */
  private passOver(): void {
    this.stragglers.add(this.first + this.head);
    this.head++;
    this.advance();
  }

  private mark(deliveryTag: number, mark: Mark): void {
    const place = deliveryTag - this.first;
    if (place < this.head) this.stragglers.delete(deliveryTag);
    else this.marks[place] = mark;
  }
}
