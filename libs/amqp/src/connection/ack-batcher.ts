type Mark = 'open' | 'done' | 'gone';

/** How many marks are kept behind a delivery that stays open. */
const MOST = 10_000;

/**
 * Acks of one channel, collected during a turn of the event loop. The finished ones from the oldest on leave
 * as one frame for all of them, those behind a handler that still runs each as their own. Bounded: MOST
 * marks, and the open deliveries before them, which are at most the prefetch.
 */
export class AckBatcher {
  private marks: Mark[] = [];
  /** The delivery tag of the first mark. */
  private first = 1;
  private head = 0;
  /** Open deliveries that are older than all marks: until they are settled, every ack leaves on its own. */
  private readonly stragglers = new Set<number>();
  private done: number[] = [];

  /** `write` sends one ack; `most` as above. */
  constructor(
    private readonly write: (deliveryTag: number, multiple: boolean) => void,
    private readonly most = MOST,
  ) {}

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

  /** It may be acked with the next flush. */
  add(deliveryTag: number): void {
    this.mark(deliveryTag, 'done');
    this.done.push(deliveryTag);
  }

  /** How many wait for a flush. */
  get size(): number {
    return this.done.length;
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

  /** Sends what was collected. */
  flush(): void {
    const { done } = this;
    if (done.length === 0) return;
    this.done = [];
    const advanced = this.advance();
    // An ack of all up to one would name them, too.
    const upTo = this.stragglers.size === 0 ? advanced : 0;
    if (upTo > 0) this.write(upTo, true);
    for (const tag of done) {
      if (tag <= upTo) continue;
      this.mark(tag, 'gone');
      this.write(tag, false);
    }
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
