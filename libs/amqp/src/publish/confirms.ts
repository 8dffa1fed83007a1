// Joins what the broker says about one publish, the return (nobody wanted it) and the confirm (the broker
// has it), into one outcome. A return always comes before the confirm of its message.

import { isDeepStrictEqual } from 'node:util';
import type { LiveChannel } from '../connection/channel.js';
import { bodyBytes, type OutgoingMessage, type ReceivedMessage } from '../message/message.js';

/** How a publish ended, as far as the channel knows. */
export type SendOutcome = 'confirmed' | 'returned' | 'nacked' | 'lost';

/** A publish that waits for its outcome, which it is told once. */
export interface Unconfirmed {
  readonly message: OutgoingMessage;
  returned: boolean;
  /** `inDoubt`: how many were lost with it, itself included. */
  onOutcome(outcome: SendOutcome, inDoubt?: number): void;
}

/** Unconfirmed publishes with one message id: their numbers in the order of sending, and the place behind the last return. */
interface SameId {
  readonly numbers: number[];
  next: number;
  /** Its headers are returned in a different form, so they cannot be compared. */
  reshaped: boolean;
}

/** The unconfirmed publishes of one channel, in the order of sending. */
export class Confirms {
  /** By number of the publish, from `first` on; what is settled is undefined. */
  private waiting: (Unconfirmed | undefined)[] = [];
  private first = 1;
  private head = 0;
  private count = 0;
  /** The number of the last one that was returned. */
  private lastReturned = 0;
  /** For returns that are not in order; they carry no number of the publish. Most channels see none. */
  private byId: Map<string | undefined, SameId> | undefined;

  /** `returned` is called for each returned message. */
  constructor(
    private readonly channel: LiveChannel,
    returned: (message: ReceivedMessage) => void = () => undefined,
  ) {
    channel.listen({
      onReturn: (message) => {
        this.onReturn(message);
        returned(message);
      },
      onConfirm: this.onConfirm,
    });
    void channel.closed.then(() => this.lost());
  }

  /** How many the broker has not answered. */
  get size(): number {
    return this.count;
  }

  /** Entries that are held, settled ones included. */
  get held(): number {
    return this.waiting.length;
  }

  /** Sends. Throws, having sent nothing, when the message cannot be encoded. */
  send(publish: Unconfirmed): void {
    publish.returned = false;
    const number = this.channel.publish(publish.message);
    this.waiting[number - this.first] = publish;
    this.count++;
    if (this.byId) this.enterId(number, publish);
  }

  private readonly onConfirm = (number: number, multiple: boolean, outcome: 'confirmed' | 'nacked'): void => {
    const index = number - this.first;
    // It is unknown which message is which: all unsettled ones have an unknown outcome.
    if (!(index >= this.head && index < this.waiting.length && this.waiting[index])) {
      const last = this.first + this.waiting.length - 1;
      void this.channel.close();
      return this.channel.end(
        `protocol error: the broker confirmed publish ${number}, which is not outstanding; ${last} were sent`,
      );
    }
    if (!multiple) return this.settle(index, outcome);
    for (let settled = this.head; settled <= number - this.first; settled = this.head) {
      this.settle(settled, outcome);
    }
  };

  private settle(index: number, outcome: 'confirmed' | 'nacked'): void {
    const publish = this.waiting[index];
    this.waiting[index] = undefined;
    while (this.head < this.waiting.length && this.waiting[this.head] === undefined) this.head++;
    // Moving the list for every confirm would cost more than the confirm.
    if (this.head > 1_000 && this.head * 2 > this.waiting.length) {
      this.waiting = this.waiting.slice(this.head);
      this.first += this.head;
      this.head = 0;
      this.byId = undefined;
    }
    if (!publish) return;
    this.count--;
    if (this.count === 0) this.byId = undefined;
    publish.onOutcome(outcome === 'confirmed' && publish.returned ? 'returned' : outcome);
  }

  private lost(): void {
    const { waiting, count } = this;
    this.waiting = [];
    this.byId = undefined;
    this.count = 0;
    for (const publish of waiting) publish?.onOutcome('lost', count);
  }

  // Same id, address, headers and body means same fate. Returns come in the order of sending, so the search begins behind
  // the last one that was found; what was passed over then is looked at if that finds nothing.
  private onReturn(returned: ReceivedMessage): void {
    if (!this.byId && this.isNext(returned)) return;
    const same = this.idsOf().get(returned.properties.messageId);
    if (!same) return;
    const { next, numbers } = same;
    let at = this.find(same, returned, next, numbers.length) ?? this.find(same, returned, 0, next);
    if (at === undefined && !same.reshaped) {
      same.reshaped = true;
      at = this.find(same, returned, next, numbers.length) ?? this.find(same, returned, 0, next);
    }
    if (at === undefined) return;
    same.next = at + 1;
    const found = this.waiting[numbers[at] - this.first];
    if (found) found.returned = true;
  }

  /** Marks the first equal message behind the last returned one. Does not use the index, which is expensive for many in one turn. */
  private isNext(returned: ReceivedMessage): boolean {
    const { messageId } = returned.properties;
    for (let at = Math.max(this.head, this.lastReturned + 1 - this.first); at < this.waiting.length; at++) {
      const entry = this.waiting[at];
      if (!entry || entry.returned || entry.message.properties.messageId !== messageId) continue;
      if (!sameAddress(entry.message, returned) || !sameContent(entry.message, returned)) continue;
      this.lastReturned = this.first + at;
      entry.returned = true;
      return true;
    }
    return false;
  }

  /** The place, among those with the same id, of the one that came back. */
  private find(same: SameId, returned: ReceivedMessage, from: number, to: number): number | undefined {
    for (let at = from; at < to; at++) {
      const entry = this.waiting[same.numbers[at] - this.first];
      if (!entry || entry.returned || !sameAddress(entry.message, returned)) continue;
      // A headers exchange may want one of two messages with the same id and key.
      if (same.reshaped || same.numbers.length === 1 || sameContent(entry.message, returned)) return at;
    }
    return undefined;
  }

  private idsOf(): Map<string | undefined, SameId> {
    if (this.byId) return this.byId;
    this.byId = new Map();
    for (let index = this.head; index < this.waiting.length; index++) {
      const entry = this.waiting[index];
      if (entry) this.enterId(this.first + index, entry);
    }
    return this.byId;
  }

  private enterId(number: number, { message }: Unconfirmed): void {
    const { messageId } = message.properties;
    const same = this.byId?.get(messageId);
    if (same) same.numbers.push(number);
    else this.byId?.set(messageId, { numbers: [number], next: 0, reshaped: false });
  }
}

function sameAddress(sent: OutgoingMessage, returned: ReceivedMessage): boolean {
  return sent.routingKey === returned.routingKey && sent.exchange === returned.exchange;
}

function sameContent(sent: OutgoingMessage, returned: ReceivedMessage): boolean {
  return (
    bodyBytes(sent.content).equals(returned.content) &&
    isDeepStrictEqual({ ...sent.properties.headers }, { ...returned.properties.headers })
  );
}
