// Server-sent events to one reader, and how many readers there may be. A reader that takes nothing gets nothing more: what is
// for it is counted, not kept.

import type { ServerResponse } from 'node:http';
import type { Clock } from '@warren/nestjs';
import { BoardError } from '../errors.js';

/** What a reader has not taken yet, in bytes. */
const MOST_UNREAD = 1_000_000;

/** So that proxies do not take it for idle, in ms. */
const PING = 15_000;

/** One reader. */
export class EventStream {
  private skipped = 0;
  private cancelPing: () => void = () => undefined;
  private over = false;

  constructor(
    private readonly raw: ServerResponse,
    private readonly clock: Clock,
    private readonly onEnd: () => void,
  ) {
    raw.on('close', () => this.end());
    raw.on('error', () => this.end());
    this.ping();
  }

  /** Sends an event, or counts it when the reader is too slow. */
  send(name: string, data: unknown): void {
    if (this.over) return;
    if (this.raw.writableLength > MOST_UNREAD) {
      this.skipped++;
      return;
    }
    if (this.skipped > 0) {
      const count = this.skipped;
      this.skipped = 0;
      this.send('skipped', { count });
    }
    // JSON has no line breaks, which would end the field.
    this.raw.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  end(): void {
    if (this.over) return;
    this.over = true;
    this.cancelPing();
    this.raw.end();
    this.onEnd();
  }

  private ping(): void {
    this.cancelPing = this.clock.after(PING, () => {
      if (this.raw.writableLength <= MOST_UNREAD) this.raw.write(': still here\n\n');
      this.ping();
    });
  }
}

/** The readers of a kind of stream, at most so many at once. */
export class Readers {
  private readonly open = new Set<EventStream>();
  private closed = false;

  constructor(
    private readonly most: number,
    private readonly clock: Clock,
  ) {}

  get size(): number {
    return this.open.size;
  }

  /**
   * One more reader: `begin` begins the response, and `opened` returns what is to be done at its end. @throws BoardError when there are
   * too many
   */
  add(begin: () => ServerResponse, opened: (stream: EventStream) => (() => void) | void): void {
    if (this.closed) throw new BoardError('BUSY', 'the application is closing');
    if (this.size >= this.most)
      throw new BoardError('BUSY', `${this.most} pages read along already`, 'close some of them');
    const raw = begin();
    // It has left while guards were asked: its end was told before anybody listened.
    if (raw.destroyed) return;
    let ended: (() => void) | void = undefined;
    const stream = new EventStream(raw, this.clock, () => {
      this.open.delete(stream);
      ended?.();
    });
    this.open.add(stream);
    ended = opened(stream);
  }

  /** To all readers. */
  send(name: string, data: unknown): void {
    for (const stream of this.open) stream.send(name, data);
  }

  /** No reader keeps an application from closing. */
  close(): void {
    this.closed = true;
    for (const stream of [...this.open]) stream.end();
  }
}
