// The channels of one connection, by number: opened, addressed, and let go all together when the connection ends.
import { AmqpFailure } from '../model/failure.js';
import type { Frame } from '../wire/frames.js';
import type { Method } from '../wire/methods.js';
import { Channel } from './channel.js';
import type { Client } from './channel-context.js';

export class Channels {
  /** How many there may be, as agreed in the handshake. */
  limit = 0;
  private readonly byNumber = new Map<number, Channel>();
  /** Channels with confirms that are not written yet. */
  private owing: Channel[] = [];

  constructor(private readonly connection: Client) {}

  get count(): number {
    return this.byNumber.size;
  }

  all(): Iterable<Channel> {
    return this.byNumber.values();
  }

  method(number: number, method: Method): void {
    const channel = this.byNumber.get(number);
    if (channel?.reopens(method)) this.byNumber.delete(number);
    else if (channel) {
      channel.method(method);
      return;
    }
    if (method.name === 'channel.open') this.open(number);
    // Late answers to a channel that is gone already say nothing; anything else is a mistake of the client.
    else if (method.name === 'channel.close') this.connection.outbox.method(number, 'channel.close-ok', {});
    else if (method.name !== 'channel.close-ok') throw new AmqpFailure(504, "expected 'channel.open'");
  }

  find(number: number): Channel | undefined {
    return this.byNumber.get(number);
  }

  content(frame: Frame): void {
    const channel = this.byNumber.get(frame.channel);
    if (!channel) throw new AmqpFailure(504, "expected 'channel.open'");
    channel.content(frame);
  }

  forget(channel: Channel): void {
    this.byNumber.delete(channel.number);
  }

  /** Consumers leave first, on all channels; only then do unacked messages go back, so that none returns here. */
  release(): void {
    const all = [...this.byNumber.values()];
    this.byNumber.clear();
    this.owing = [];
    for (const channel of all) channel.detach();
    const [first, ...others] = all;
    first?.release(others);
  }

  /** The channel has confirms to write at the end of this turn. */
  owes(channel: Channel): void {
    this.owing.push(channel);
    this.connection.outbox.schedule();
  }

  flushConfirms(): void {
    if (this.owing.length === 0) return;
    const { owing } = this;
    this.owing = [];
    for (const channel of owing) channel.flushConfirms();
  }

  private open(number: number): void {
    if (this.byNumber.size >= this.limit) {
      throw new AmqpFailure(
        530,
        `number of channels opened (${this.byNumber.size}) has reached the negotiated channel_max (${this.limit})`,
      );
    }
    this.byNumber.set(number, new Channel(this.connection, number));
    this.connection.outbox.method(number, 'channel.open-ok', { channelId: Buffer.alloc(0) });
  }
}
