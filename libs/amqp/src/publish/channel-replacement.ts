// A channel that was refused a message, or waited in vain for a confirm, gets a successor. RabbitMQ (seen on 3.10) looks
// for the leader of a quorum queue when a channel first publishes to it; if that node has just died or comes back, it
// refuses or forgets all further messages of this channel to this queue, for as long as the channel lives, although the
// queue has a leader long since.

import type { Clock } from '../runtime/clock.js';
import type { Connection } from '../connection/connection.js';
import type { RabbitError } from '../errors/errors.js';
import { printable } from '../runtime/logger.js';
import type { OutgoingMessage } from '../message/message.js';
import { PublishRefusedError } from '../errors/publish-errors.js';
import { AccessRefusedError } from '../errors/topology-errors.js';

/** A full queue refuses too, and a new channel is no use there: so much time lies between two, in ms. */
const REST = 1_000;

/** Longer than an election lasts: who refuses for this time is full, and then so much lies between two, in ms. */
const FULL_AFTER = 5_000;
const LONG_REST = 10_000;

/** What is unconfirmed must be answered first, in this time. */
const GRACE_PERIOD = 2_000;

/** What a renewal is made from. */
export interface ChannelReplacementOptions {
  readonly clock: Clock;
  /** Messages on the channel whose outcome is awaited. */
  readonly unconfirmed: () => number;
  /** Closes the channel; another one comes. */
  readonly renew: () => void;
  /** Nothing is held back any more. */
  readonly onGivenUp: () => void;
}

/** Waits until a channel owes no answer, and has it replaced. */
export class ChannelReplacement {
  /** Nothing more may be sent on the channel. */
  pending = false;
  private last = -Infinity;
  /** Since when it has been asked again and again, and when last. */
  private since = -Infinity;
  private asked = -Infinity;
  private cancel: (() => void) | undefined;
  private closing = false;

  constructor(private readonly options: ChannelReplacementOptions) {}

  /** The channel does not do its duty. When `forced`, what is not answered in time is given up with it. */
  ask(forced: boolean): void {
    const { clock } = this.options;
    const now = clock.monotonic();
    if (now - this.asked >= LONG_REST) this.since = now;
    this.asked = now;
    const rest = now - this.since < FULL_AFTER ? REST : LONG_REST;
    if (this.pending || now - this.last < rest) return;
    this.last = now;
    this.pending = true;
    this.cancel = clock.after(GRACE_PERIOD, () => {
      if (forced && !this.closing) return this.replace();
      this.end();
      this.options.onGivenUp();
    });
  }

  /** A message was answered, refused ones included. */
  answered(): void {
    // A buffered publish may be given up, and so settled, while the channel closes.
    if (this.pending && !this.closing && this.options.unconfirmed() === 0) this.replace();
  }

  /** The channel is gone. */
  end(): void {
    this.cancel?.();
    this.pending = false;
    this.closing = false;
  }

  private replace(): void {
    this.closing = true;
    this.options.renew();
  }
}

// The broker answers a publish that it does not want by closing the channel, with a sentence that says why. Only who
// caused it is to blame; all others in doubt on that channel can be sent again.

/** Why the broker closed a channel on which there were publishes. */
export interface ChannelCloseReason {
  /** The exchange that is to blame; undefined when the broker does not say which publish it was. */
  readonly exchange: string | undefined;
  /** With permissions by topic, the one key that was refused. */
  readonly topic: string | undefined;
  /** For those to blame. Undefined when the exchange is gone: what was sent before that may have arrived. */
  readonly error: RabbitError | undefined;
}

const FORBIDDEN =
  /access to (?:topic '(?<topic>.*)' in )?exchange '(?<exchange>[^']*)' in vhost|publish to internal exchange '(?<internal>[^']*)' in vhost/;
const MISSING = /no exchange '(?<exchange>[^']*)' in vhost/;
const CLOSED = /Channel closed by server: (?<code>4\d\d) \([^)]*\)(?: with message "(?<text>.*)")?/s;

/** What the broker calls the exchange without a name. */
const DEFAULT_EXCHANGE = 'amq.default';

/** Reads the reason of a channel's end; nothing when it is not the broker's answer to a publish. */
export function channelCloseReason(reason: string): ChannelCloseReason | undefined {
  const forbidden = FORBIDDEN.exec(reason)?.groups;
  if (forbidden) return forbiddenBy(forbidden, reason);
  const missing = MISSING.exec(reason)?.groups;
  if (missing) return { exchange: missing.exchange, topic: undefined, error: undefined };
  const closed = CLOSED.exec(reason)?.groups;
  if (!closed) return undefined;
  const error = new PublishRefusedError(printable(closed.text ?? closed.code));
  return { exchange: undefined, topic: undefined, error };
}

function forbiddenBy(found: Readonly<Record<string, string>>, reason: string): ChannelCloseReason {
  const { topic, internal } = found;
  const named = found.exchange ?? internal;
  const where = named === DEFAULT_EXCHANGE ? `the default exchange '${named}'` : `exchange '${named}'`;
  const what = topic === undefined ? where : `key '${topic}' of ${where}`;
  const permission = internal === undefined ? 'write' : undefined;
  const error = new AccessRefusedError(what, 'a publish', new Error(reason), { permission });
  return { exchange: named === DEFAULT_EXCHANGE ? '' : named, topic, error };
}

/** Whether a message that was in doubt then is among those to blame. */
export function isToBlame({ exchange, topic }: ChannelCloseReason, message: Destination): boolean {
  return message.exchange === exchange && (topic === undefined || message.routingKey === topic);
}

/** Whether a message that was in doubt may have been the reason, or may be the next one, although it is not named. */
export function isSuspect({ exchange, topic }: ChannelCloseReason, message: Destination): boolean {
  return exchange === undefined || (topic !== undefined && message.exchange === exchange);
}

type Destination = Pick<OutgoingMessage, 'exchange' | 'routingKey'>;

/** How long a missing permission is believed, in ms: finding out costs a channel. */
const FORBIDDEN_FOR = 5_000;

/** Keys are chosen by whoever publishes, so what is remembered is bounded. */
const REMEMBERED = 1_000;

/** What a refusal memory is made from. */
export interface ChannelCloseReasonsOptions {
  readonly connection: Pick<Connection, 'life'>;
  readonly clock: Clock;
  /** Hears of each missing permission once in a life of the connection. */
  readonly onForbidden: (error: RabbitError) => void;
}

/** What the user of a connection may not do, as far as the broker said so lately. */
export class ChannelCloseReasons {
  private life = 0;
  /** By exchange, or by exchange and key. Mostly empty, and then nothing need be asked. */
  readonly forbidden = new Map<string, { readonly since: number; readonly error: RabbitError }>();
  private readonly told = new Set<string>();

  constructor(private readonly options: ChannelCloseReasonsOptions) {}

  /** The error of something that was refused a moment ago, so that the broker need not be asked. */
  of({ exchange, routingKey }: Destination): RabbitError | undefined {
    if (this.forbidden.size === 0) return undefined;
    if (this.life !== this.options.connection.life) this.forget();
    return this.fresh(exchange) ?? this.fresh(keyOf(exchange, routingKey));
  }

  /** The broker refused it. */
  remember({ exchange, topic, error }: ChannelCloseReason): void {
    if (!error) return;
    if (this.life !== this.options.connection.life) this.forget();
    if (this.told.size >= REMEMBERED) this.told.clear();
    const isNew = !this.told.has(error.message);
    this.told.add(error.message);
    if (isNew) this.options.onForbidden(error);
    if (exchange === undefined) return;
    if (this.forbidden.size >= REMEMBERED) this.forbidden.clear();
    const key = topic === undefined ? exchange : keyOf(exchange, topic);
    this.forbidden.set(key, { since: this.options.clock.monotonic(), error });
  }

  private fresh(key: string): RabbitError | undefined {
    const found = this.forbidden.get(key);
    if (!found) return undefined;
    if (this.options.clock.monotonic() - found.since < FORBIDDEN_FOR) return found.error;
    this.forbidden.delete(key);
    return undefined;
  }

  private forget(): void {
    this.life = this.options.connection.life;
    this.forbidden.clear();
    this.told.clear();
  }
}

// No name of an exchange holds NUL.
function keyOf(exchange: string, topic: string): string {
  return `${exchange}\0${topic}`;
}
