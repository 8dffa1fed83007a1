// Joins what the broker says about one publish, the return (nobody wanted it) and the confirm (the broker
// has it), into one outcome. A return always comes before the confirm of its message.

import { isDeepStrictEqual } from 'node:util';
import type { LiveChannel } from '../link/channel.js';
import type { OutgoingMessage, ReceivedMessage } from '../model/message.js';

/** How a publish ended, as far as the channel knows. */
export type SendOutcome = 'confirmed' | 'returned' | 'nacked' | 'lost';

/** A publish that waits for its outcome, which it hears once. */
export interface Unconfirmed {
  readonly message: OutgoingMessage;
  returned: boolean;
  onOutcome(outcome: SendOutcome): void;
}

/** The unconfirmed publishes of one channel, in the order of sending. */
export class Confirms {
  /** By number of the publish, from `first` on; what is settled is undefined. */
  private waiting: (Unconfirmed | undefined)[] = [];
  private first = 1;
  private head = 0;
  private count = 0;

  /** `returned` hears of each message that came back. */
  constructor(
    private readonly channel: LiveChannel,
    returned: (message: ReceivedMessage) => void = () => undefined,
  ) {
    channel.listen({
      onReturn: (message) => {
        this.onReturn(message);
        returned(message);
      },
      onConfirm: (number, multiple, outcome) => {
        if (multiple) this.settleUpTo(number, outcome);
        else this.settle(number, outcome);
      },
    });
    void channel.closed.then(() => this.lost());
  }

  /** How many the broker has not answered. */
  get size(): number {
    return this.count;
  }

  /** Sends. Throws, having sent nothing, when the message cannot be encoded. */
  send(publish: Unconfirmed): void {
    publish.returned = false;
    const number = this.channel.publishConfirmed(publish.message);
    this.waiting[number - this.first] = publish;
    this.count++;
  }

  private settleUpTo(number: number, outcome: 'confirmed' | 'nacked'): void {
    while (this.head < this.waiting.length && this.first + this.head <= number) {
      this.settle(this.first + this.head, outcome);
    }
  }

  private settle(number: number, outcome: 'confirmed' | 'nacked'): void {
    const index = number - this.first;
    const publish = this.waiting[index];
    this.waiting[index] = undefined;
    while (this.head < this.waiting.length && this.waiting[this.head] === undefined) this.head++;
    // Moving the list for every confirm would cost more than the confirm.
    if (this.head > 1_000 && this.head * 2 > this.waiting.length) {
      this.waiting = this.waiting.slice(this.head);
      this.first += this.head;
      this.head = 0;
    }
    if (!publish) return;
    this.count--;
    publish.onOutcome(outcome === 'confirmed' && publish.returned ? 'returned' : outcome);
  }

  private lost(): void {
    const { waiting } = this;
    this.waiting = [];
    this.count = 0;
    for (const publish of waiting) publish?.onOutcome('lost');
  }

  // Returns carry no number of the publish. Same id, address, headers and body means same fate, so the oldest
  // of several is the right one.
  private onReturn(returned: ReceivedMessage): void {
    let likely: Unconfirmed | undefined;
    for (const entry of this.waiting) {
      if (!entry || entry.returned || !sameAddress(entry.message, returned)) continue;
      likely ??= entry;
      if (sameContent(entry.message, returned)) {
        entry.returned = true;
        return;
      }
    }
    // Headers may come back in another form than they left.
    if (likely) likely.returned = true;
  }
}

function sameAddress(sent: OutgoingMessage, returned: ReceivedMessage): boolean {
  return (
    sent.properties.messageId === returned.properties.messageId &&
    sent.routingKey === returned.routingKey &&
    sent.exchange === returned.exchange
  );
}

// A headers exchange may want one of two messages with the same id and key.
function sameContent(sent: OutgoingMessage, returned: ReceivedMessage): boolean {
  return (
    sent.content.equals(returned.content) &&
    isDeepStrictEqual({ ...sent.properties.headers }, { ...returned.properties.headers })
  );
}
