// Direct reply-to: a requester consumes from a pseudo-queue, its requests carry a generated name that identifies its
// channel, and replies are delivered there directly, without a queue.
import { randomBytes } from 'node:crypto';
import type { Message } from '../model/message.js';

/** The pseudo-queue that a requester consumes from and puts into reply_to. */
export const REPLY_QUEUE = 'amq.rabbitmq.reply-to';
const REPLY_PREFIX = `${REPLY_QUEUE}.`;

export interface ReplyConsumer {
  readonly tag: string;
  readonly name: string;
  deliver(message: Message): void;
}

/** The consumers of direct replies, by their generated names. */
export class DirectReplies {
  private readonly consumers = new Map<string, ReplyConsumer>();

  /** Registers a consumer under a new name. */
  open(tag: string, deliver: (message: Message) => void): ReplyConsumer {
    const name = REPLY_PREFIX + randomBytes(24).toString('base64url');
    const consumer = { tag, name, deliver };
    this.consumers.set(name, consumer);
    return consumer;
  }

  close(consumer: ReplyConsumer): void {
    this.consumers.delete(consumer.name);
  }

  find(name: string): ReplyConsumer | undefined {
    return this.consumers.get(name);
  }
}

/** Whether a queue name is a generated one; the bare pseudo-queue is not, since it identifies no channel. */
export function isReplyName(name: string): boolean {
  return name.startsWith(REPLY_PREFIX);
}
