import { PublishOutcomeUnknownError } from '../../errors/publish-errors.js';
import type { OutgoingMessage } from '../../message/message.js';
import type { ReplySender, ReplyWaiter } from '../../message/outgoing.js';
import { ownTimeout, type SendLimits, type SendResult, unroutable } from '../../publish/pending-send.js';
import { Sender, type SenderOptions } from '../../publish/sender.js';
import type { Connection } from '../../connection/connection.js';
import { isDirectReply, mayBeHurt, type Server } from '../../message/direct-reply.js';
import { RabbitError } from '../../errors/errors.js';

/**
 * Replies to remote callers, on a separate connection. The caller chooses the reply address, and RabbitMQ closes the
 * connection that publishes to some addresses, even well-formed ones. So losing this connection costs only time: replies
 * in transit are sent again, and the one that closed it is found and given up.
 */
export class ReplyPublisher implements ReplySender {
  private readonly sender: Sender;
  /** The last suspect has been tried. */
  private line: Promise<unknown> = Promise.resolve();
  private suspects = 0;
  /** What each reply has, in ms. */
  private readonly given: number;

  constructor(private readonly options: SenderOptions) {
    this.sender = new Sender(options);
    this.given = ownTimeout(options.settings);
  }

  send(message: OutgoingMessage): Promise<void> {
    return new Promise((resolve, reject) => this.begin(message, { onArrived: resolve, onLost: reject }));
  }

  begin(message: OutgoingMessage, waiter: ReplyWaiter): void {
    const { clock, settings } = this.options;
    const { given } = this;
    const attempt = new FirstAttempt(
      this,
      message,
      waiter,
      clock.monotonic() + given,
      given,
      settings.publish.retryNacked,
    );
    // Sent beside a suspect, it would be lost a second time.
    if (this.suspects === 0) this.sender.send(message, attempt, attempt);
    else void this.afterSuspects().then(() => this.sender.send(message, attempt, attempt));
  }

  /** The broker takes messages again. */
  flush(): void {
    this.sender.unblocked();
  }

  /** See Sender.close. */
  close(expired: Promise<void>): Promise<void> {
    return this.sender.close(expired);
  }

  private async afterSuspects(): Promise<void> {
    while (this.suspects > 0) await this.line;
  }

  // One after the other, so that the reply whose address is the cause is the only one that is lost with it.
  alone(message: OutgoingMessage): Promise<void> {
    this.options.counters.resent++;
    this.suspects++;
    const tried = this.line.then(
      () =>
        new Promise<void>((resolve, reject) => {
          const onSent = (routed: boolean): void => (routed ? resolve() : reject(unroutable(message)));
          const { clock, settings } = this.options;
          const { given } = this;
          const { retryNacked } = settings.publish;
          const limits = { end: clock.monotonic() + given, given, retryNacked };
          this.sender.send(message, limits, { onSent, onFailed: reject });
        }),
    );
    const sent = tried.finally(() => this.suspects--);
    this.line = sent.catch(() => undefined);
    return sent;
  }
}

/** A reply that is sent for the first time: its limits, and what comes of it. */
class FirstAttempt implements SendLimits, SendResult {
  constructor(
    private readonly by: ReplyPublisher,
    private readonly message: OutgoingMessage,
    private readonly waiter: ReplyWaiter,
    readonly end: number,
    readonly given: number,
    readonly retryNacked: number | undefined,
  ) {}

  onSent(routed: boolean): void {
    if (routed) this.waiter.onArrived();
    else this.waiter.onLost(unroutable(this.message));
  }

  onFailed(error: Error): void {
    const { waiter } = this;
    // The caller ignores a second reply, so one that may have been lost is sent again.
    if (error instanceof PublishOutcomeUnknownError) {
      this.by.alone(this.message).then(
        () => waiter.onArrived(),
        (lost: Error) => waiter.onLost(lost),
      );
    } else {
      waiter.onLost(error);
    }
  }
}

/** Dependencies. `connection` is for replies to trusted addresses. */
export interface ReplyConnectionsOptions extends SenderOptions {
  /** For first replies. */
  readonly first: Connection;
  readonly server: () => Server;
}

/** Callers that are remembered: more than a service has at a time. */
const REMEMBERED = 10_000;

/**
 * After an address closed the connection: how many first replies are tried at once, and for how long that address is
 * refused, in ms.
 */
const [TRIED_AT_ONCE, SUSPICIOUS_FOR] = [8, 60_000];

/** A reply that takes longer than this over an open connection was held up, by its address or another one, in ms. */
const SLOW = 3_000;

/**
 * Chooses the connection of a reply. RabbitMQ before 4.3 closes the connection that publishes to some direct reply-to
 * addresses, or stops reading from it for seconds, and nothing in an address tells which (message/direct-reply.ts). So the
 * first reply to an address uses a separate connection, opened on demand, and only after it has arrived may the
 * address be used on the connection that all other replies share.
 */
export class ReplyConnections implements ReplySender {
  private readonly main: ReplyPublisher;
  private readonly first: ReplyPublisher;
  /** Addresses that accepted a reply; the oldest first. */
  private readonly proven = new Set<string>();
  /** Addresses that closed the connection, and when. */
  private readonly harmful = new Map<string, number>();
  private suspectedAt = -Infinity;
  private trying = 0;
  /** Whether an address may hurt the broker that is known since this life of the connection. */
  private vulnerable = true;
  private life = 0;

  constructor(private readonly options: ReplyConnectionsOptions) {
    this.main = new ReplyPublisher(options);
    this.first = new ReplyPublisher({ ...options, connection: options.first });
  }

  send(message: OutgoingMessage): Promise<void> {
    return new Promise((resolve, reject) => this.begin(message, { onArrived: resolve, onLost: reject }));
  }

  begin(message: OutgoingMessage, waiter: ReplyWaiter): void {
    const address = message.routingKey;
    const isSafe = this.life > 0 && this.life === this.options.connection.life && !this.vulnerable;
    if (isSafe || !this.isRisky(address)) return this.main.begin(message, waiter);
    const closeReason = this.closeReason(address);
    if (closeReason) return waiter.onLost(closeReason);
    const { clock, first } = this.options;
    const began = clock.monotonic();
    const wasOpen = first.state === 'open';
    this.trying++;
    this.first.begin(message, {
      onArrived: () => {
        this.trying--;
        if (clock.monotonic() - began < SLOW) remember(this.proven, address);
        else if (wasOpen) this.suspectedAt = clock.monotonic();
        waiter.onArrived();
      },
      onLost: (error) => {
        this.trying--;
        // Other replies in transit at that time were sent again one by one, so this one is the cause.
        if (error instanceof PublishOutcomeUnknownError) this.accuse(address);
        waiter.onLost(error);
      },
    });
  }

  /** Over which connection the broker may be asked about an address. */
  connectionFor(replyTo: string): Connection {
    return this.isRisky(replyTo) ? this.options.first : this.options.connection;
  }

  /** The broker takes messages again. */
  flush(): void {
    this.main.flush();
    this.first.flush();
  }

  /** See Sender.close. */
  async close(expired: Promise<void>): Promise<void> {
    await Promise.all([this.main.close(expired), this.first.close(expired)]);
  }

  private isRisky(replyTo: string): boolean {
    const { life } = this.options.connection;
    // Before its first life others say what broker it is.
    if (life !== this.life || life === 0) {
      this.life = life;
      this.vulnerable = mayBeHurt(this.options.server());
    }
    return this.vulnerable && !this.proven.has(replyTo) && isDirectReply(replyTo);
  }

  private closeReason(address: string): Error | undefined {
    const since = this.options.clock.monotonic() - SUSPICIOUS_FOR;
    if ((this.harmful.get(address) ?? -Infinity) > since) return refused('it closed one a moment ago');
    const isFull = this.suspectedAt > since && this.trying >= TRIED_AT_ONCE;
    return isFull
      ? refused(
          'other addresses closed one a moment ago, and the maximum number of first replies is being tried',
        )
      : undefined;
  }

  private accuse(address: string): void {
    this.suspectedAt = this.options.clock.monotonic();
    this.harmful.delete(address);
    this.harmful.set(address, this.suspectedAt);
    shrink(this.harmful);
  }
}

function remember(proven: Set<string>, address: string): void {
  proven.add(address);
  shrink(proven);
}

function shrink(list: Set<string> | Map<string, unknown>): void {
  for (const oldest of list.keys()) {
    if (list.size <= REMEMBERED) return;
    list.delete(oldest);
  }
}

function refused(why: string): Error {
  return new RabbitError(
    'WARREN_REPLY_ADDRESS',
    `no reply is sent to this address, which may close the connection: ${why}`,
    'if requests have forged reply addresses, find their sender; an honest caller can call again in a minute',
  );
}
