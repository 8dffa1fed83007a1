// Replies kept in the memory of this process, for requests that come twice. Bounded in number and bytes: the oldest go
// first, and a repeat of them runs the handler again.

import type { Clock } from '../../runtime/clock.js';
import type { ReplyStore, StoredReply } from '../../options/options.js';

interface Kept {
  readonly reply: StoredReply;
  readonly until: number;
}

/** See the top of the file. */
export class MemoryReplyStore implements ReplyStore {
  private readonly kept = new Map<string, Kept>();
  private bytes = 0;

  constructor(
    private readonly clock: Clock,
    private readonly limit: { readonly replies: number; readonly bytes: number } = {
      replies: 10_000,
      bytes: 16 * 1024 * 1024,
    },
  ) {}

  get(key: string): StoredReply | undefined {
    const found = this.kept.get(key);
    if (found && found.until > this.clock.monotonic()) return found.reply;
    this.forget(key);
    return undefined;
  }

  set(key: string, reply: StoredReply, ttlMs: number): void {
    this.forget(key);
    if (reply.content.length > this.limit.bytes) return;
    this.kept.set(key, { reply, until: this.clock.monotonic() + ttlMs });
    this.bytes += reply.content.length;
    for (const oldest of this.kept.keys()) {
      if (this.kept.size <= this.limit.replies && this.bytes <= this.limit.bytes) break;
      this.forget(oldest);
    }
  }

  private forget(key: string): void {
    const found = this.kept.get(key);
    if (!found) return;
    this.bytes -= found.reply.content.length;
    this.kept.delete(key);
  }
}
