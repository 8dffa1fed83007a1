// Joins what the broker says about one publish, the return (nobody wanted it) and the confirm (the broker
// has it), into one outcome. A return always comes before the confirm of its message.

import { isDeepStrictEqual } from 'node:util';
import type { LiveChannel } from '../link/channel.js';
import type { OutgoingMessage, ReceivedMessage } from '../model/message.js';

/** How a publish ended, as far as the channel knows. */
export type SendOutcome = 'confirmed' | 'returned' | 'nacked' | 'lost';

interface Unconfirmed {
  readonly message: OutgoingMessage;
  readonly onOutcome: (outcome: SendOutcome) => void;
  returned: boolean;
}

/** The unconfirmed publishes of one channel. */
export class Confirms {
  private readonly unconfirmed = new Set<Unconfirmed>();

  /** `returned` hears of each message that came back. */
  constructor(
    private readonly channel: LiveChannel,
    returned: (message: ReceivedMessage) => void = () => undefined,
  ) {
    channel.onReturn((message) => {
      this.onReturn(message);
      returned(message);
    });
  }

  /** How many the broker has not answered. */
  get size(): number {
    return this.unconfirmed.size;
  }

  /** Sends; `onOutcome` is called once. Throws, having sent nothing, when the message cannot be encoded. */
  send(message: OutgoingMessage, onOutcome: (outcome: SendOutcome) => void): void {
    const entry: Unconfirmed = { message, onOutcome, returned: false };
    this.unconfirmed.add(entry);
    try {
      this.channel.publishConfirmed(message, (outcome) => {
        this.unconfirmed.delete(entry);
        onOutcome(outcome === 'confirmed' && entry.returned ? 'returned' : outcome);
      });
    } catch (error) {
      this.unconfirmed.delete(entry);
      throw error;
    }
  }

  // Returns carry no number of the publish. Same id, address, headers and body means same fate, so the oldest
  // of several is the right one; a set keeps the order of sending.
  private onReturn(returned: ReceivedMessage): void {
    let likely: Unconfirmed | undefined;
    for (const entry of this.unconfirmed) {
      if (entry.returned || !sameAddress(entry.message, returned)) continue;
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
