import type { Connection } from '../../connection/connection.js';
import { RecoveringChannel } from '../../connection/recovering-channel.js';
import { CALLS_EXCHANGE, callsKey, writeControl, type CallControl } from '../../message/call-control.js';
import { withTimeout, type Clock } from '../../runtime/clock.js';
import { ConnectionLostError } from '../../errors/errors.js';
import { describeError, printable } from '../../runtime/logger.js';
import type { Settings } from '../../options/settings.js';
import { channelCloseReason, type ChannelCloseReasons } from '../../publish/channel-replacement.js';
import type { ExchangeCache } from '../../publish/exchange-cache.js';

/** What it is made from. */
export interface ControlPublisherOptions {
  readonly connection: Connection;
  readonly settings: Settings;
  readonly clock: Clock;
  readonly exchangeCache: ExchangeCache;
  readonly closeReasons: ChannelCloseReasons;
}

/** Where a word goes: to the servers of a request, or to the queue of the one that is known. */
export type ControlTarget =
  { readonly exchange: string; readonly routingKey: string } | { readonly queue: string };

/** How many calls may have something to say while nothing can be sent. The oldest words are about calls that are over. */
const UNSENT_LIMIT = 10_000;

/** How long a refusal is believed, in ms: finding out may cost a channel. */
const REFUSED_FOR = 60_000;

/** How long closing waits for a channel on which the last words can leave, in ms. */
const LAST_WORDS = 500;

/**
 * What callers say to servers beside their requests, on a channel of its own: a user who may call, but not
 * write here, must not lose the channel on which the answers arrive. Nothing is said twice, nothing is
 * waited for.
 */
export class ControlPublisher {
  private readonly recovering: RecoveringChannel;
  /** The last word about each call counts. */
  private readonly unsent = new Map<string, () => void>();
  /** When this user was refused to speak to servers that are not known by their queue, by the monotonic clock. */
  private refusedAt = -Infinity;
  private warned = false;
  /** Words whose exchange is being looked for. */
  private asking = 0;
  private closed = false;
  private onSaid = (): void => undefined;

  constructor(private readonly options: ControlPublisherOptions) {
    const { connection, clock, settings } = options;
    this.recovering = new RecoveringChannel({
      connection,
      clock,
      kind: 'plain',
      reconnect: settings.reconnect,
      setup: (channel) => Promise.resolve(channel.listen({ onDrain: () => this.flush() })),
      onReady: () => this.flush(),
      onLost: (_channel, reason) => {
        // A process that waited for these messages lost its connection as well, unless only the channel was closed.
        this.unsent.clear();
        const closeReason = channelCloseReason(reason);
        if (closeReason?.error) options.closeReasons.remember(closeReason);
        if (closeReason?.error && closeReason.exchange !== '') this.refused(reason);
      },
    });
  }

  /** Says it now or as soon as something can be sent. */
  tell(control: CallControl, target: ControlTarget): void {
    if (this.closed) return;
    if ('queue' in target) return this.say(control, '', target.queue);
    const key = callsKey(target.exchange, target.routingKey);
    const { exchangeCache: destinations, clock } = this.options;
    if (key === undefined || clock.monotonic() - this.refusedAt < REFUSED_FOR) return;
    if (destinations.isKnown(CALLS_EXCHANGE)) return this.say(control, CALLS_EXCHANGE, key);
    this.asking++;
    const found = destinations.ensure(CALLS_EXCHANGE).then(
      () => this.say(control, CALLS_EXCHANGE, key),
      (error: unknown) => {
        if (!(error instanceof ConnectionLostError)) this.refused(describeError(error));
      },
    );
    void found.then(() => {
      this.asking--;
      this.tellSaid();
    });
  }

  /** The broker takes messages again. */
  flush(): void {
    for (const [id, send] of this.unsent) {
      if (!this.isOpen()) return;
      this.unsent.delete(id);
      send();
    }
    this.tellSaid();
  }

  /** Says what is to be said, for a moment. Always settles. */
  async close(): Promise<void> {
    const { clock, connection } = this.options;
    if ((this.unsent.size > 0 || this.asking > 0) && connection.state === 'open') {
      const said = new Promise<void>((resolve) => (this.onSaid = resolve));
      await withTimeout(clock, LAST_WORDS, (over) => Promise.race([said, over]));
    }
    this.closed = true;
    this.unsent.clear();
    await this.recovering.close();
  }

  private tellSaid(): void {
    if (this.asking === 0 && this.unsent.size === 0) this.onSaid();
  }

  private say(control: CallControl, exchange: string, routingKey: string): void {
    if (this.closed || this.options.closeReasons.of({ exchange, routingKey })) return;
    this.recovering.start();
    const content = writeControl(control);
    const properties = { deliveryMode: 1, contentType: 'application/json' };
    const send = (): void => {
      try {
        this.recovering.current?.publish({ exchange, routingKey, content, mandatory: false, properties });
      } catch {
        // The channel died between the look and the send; see onLost.
      }
    };
    if (this.isOpen()) return send();
    this.unsent.delete(control.id);
    this.unsent.set(control.id, send);
    if (this.unsent.size <= UNSENT_LIMIT) return;
    for (const oldest of this.unsent.keys()) return void this.unsent.delete(oldest);
  }

  private refused(reason: string): void {
    if (this.closed) return;
    this.refusedAt = this.options.clock.monotonic();
    if (this.warned) return;
    this.warned = true;
    this.options.settings.logger.warn(
      `cancellations cannot be sent, so cancelled calls keep running on their servers: ${printable(reason)}`,
      { event: 'cancellations-not-sent' },
    );
  }

  private isOpen(): boolean {
    const channel = this.recovering.current;
    return (
      channel !== undefined && channel.alive && channel.socket.writable && !this.options.connection.blocked
    );
  }
}
