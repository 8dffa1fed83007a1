// Direct reply-to: a requester consumes the pseudo queue, its requests carry a name that leads back to its channel,
// and replies go there without a queue in between.
import { randomBytes } from 'node:crypto';
import type { Message } from '../model/message.js';

/** What a requester consumes from and puts into reply_to. */
export const REPLY_QUEUE = 'amq.rabbitmq.reply-to';
const REPLY_PREFIX = `${REPLY_QUEUE}.`;

export interface ReplyConsumer {
  readonly tag: string;
  readonly name: string;
  deliver(message: Message): void;
}

export class ReplyDesk {
  private readonly consumers = new Map<string, ReplyConsumer>();

  /** A new name that leads back to this consumer. */
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

/** Whether a queue name is of this kind; the bare name is not, it has no channel behind it. */
export function isReplyName(name: string): boolean {
  return name.startsWith(REPLY_PREFIX);
}
