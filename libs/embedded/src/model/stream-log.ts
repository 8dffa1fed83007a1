// The log of a stream: messages in segments, numbered from 0, never changed. Old messages are removed by whole segments,
// but never the last one. Each message is one chunk; RabbitMQ puts messages that are published together into one.
import type { Message } from './message.js';

export interface StreamLimits {
  /** Bytes of messages; Infinity for no limit. */
  readonly maxBytes: number;
  /** Seconds; Infinity for no limit. */
  readonly maxAge: number;
  /** A segment of this many bytes is full. */
  readonly segmentBytes: number;
}

interface Segment {
  /** Offset of its first message. */
  readonly first: number;
  readonly messages: Message[];
  /** When each came: wall clock in seconds. */
  readonly times: number[];
  readonly entries: number[];
  bytes: number;
}

/** Segments are this fraction of a limit at most, since what they hold is in memory. */
const SHARE = 4;

export class StreamLog {
  private readonly segments: Segment[] = [];
  private bytes = 0;
  private tail = 0;
  private segmentBytes = 0;

  constructor(
    private limits: StreamLimits,
    /** A message is no longer in the stream. */
    private readonly dropped: (message: Message, entry: number) => void,
  ) {
    this.limit(limits);
  }

  /** Other limits, from the next message on. */
  limit(limits: StreamLimits): void {
    this.limits = limits;
    this.segmentBytes = Math.min(limits.segmentBytes, limits.maxBytes / SHARE);
  }

  /** Offset of the oldest message, or of the next one when there is none. */
  get first(): number {
    return this.segments[0]?.first ?? this.tail;
  }

  /** Offset that the next message gets. */
  get next(): number {
    return this.tail;
  }

  get length(): number {
    return this.tail - this.first;
  }

  /** Bytes of all messages. */
  get size(): number {
    return this.bytes;
  }

  /** While nothing is in it: the next message has this offset. */
  begin(offset: number): void {
    if (this.segments.length === 0) this.tail = offset;
  }

  /** `entry` is its number in the journal. */
  append(message: Message, seconds: number, entry = 0): number {
    const offset = this.tail;
    const last = this.segments.at(-1);
    const segment = last && !this.full(last, seconds) ? last : this.roll(seconds);
    segment.messages.push(message);
    segment.times.push(seconds);
    segment.entries.push(entry);
    const size = sizeOf(message);
    segment.bytes += size;
    this.bytes += size;
    this.tail += 1;
    return offset;
  }

  /** The message at this offset; undefined when it is not there yet, or no longer. */
  at(offset: number): Message | undefined {
    const segment = this.segments[this.segmentOf(offset)];
    return segment?.messages[offset - segment.first];
  }

  /** Offset of the first message that came at this time or later; of the next one when there is none. */
  since(seconds: number): number {
    for (const { first, times } of this.segments) {
      if ((times.at(-1) as number) < seconds) continue;
      return first + times.findIndex((time) => time >= seconds);
    }
    return this.tail;
  }

  /** Everything goes. */
  clear(): void {
    while (this.segments.length > 0) this.dropFirst();
  }

  private full({ bytes, times }: Segment, now: number): boolean {
    return bytes >= this.segmentBytes || now - times[0] > this.limits.maxAge / SHARE;
  }

  /** As in RabbitMQ, limits are looked at when a segment is full. */
  private roll(now: number): Segment {
    const segment: Segment = { first: this.tail, messages: [], times: [], entries: [], bytes: 0 };
    const { maxBytes, maxAge } = this.limits;
    while (
      this.segments.length > 0 &&
      (this.bytes > maxBytes || now - (this.segments[0].times.at(-1) as number) > maxAge)
    )
      this.dropFirst();
    this.segments.push(segment);
    return segment;
  }

  private dropFirst(): void {
    const [segment] = this.segments.splice(0, 1);
    this.bytes -= segment.bytes;
    for (const [index, message] of segment.messages.entries()) this.dropped(message, segment.entries[index]);
  }

  private segmentOf(offset: number): number {
    let low = 0;
    let high = this.segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.segments[middle].first <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

function sizeOf({ body, properties }: Message): number {
  return body.length + properties.length;
}
