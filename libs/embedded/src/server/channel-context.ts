// A channel and its connection, as far as the methods that answer a client know them. The classes are in channel.ts and
// connection.ts, which know the methods.
import type { MessageCounters } from '../model/counters.js';
import type { VirtualHost } from '../model/virtual-host.js';
import type { Args, MethodName } from '../wire/methods.js';
import type { Confirms } from './confirms.js';
import type { Peer, Session } from './handshake.js';
import type { ServerContext } from './server-context.js';
import type { Outbox } from './outbox.js';
import type { Permitted } from './permitted.js';
import type { ReplyConsumer } from './direct-replies.js';
import type { Subscription } from './subscription.js';
import type { Transaction } from './transaction.js';
import type { Unacked } from './unacked.js';

/** Each file of methods exports an object of this shape: a function per method that it answers. */
export type Answers = { readonly [N in MethodName]?: (channel: Channel, args: Args<N>) => void };

/** A connection that is open. */
export interface Client {
  readonly id: number;
  readonly context: ServerContext;
  readonly outbox: Outbox;
  readonly vhost: VirtualHost;
  readonly permitted: Permitted;
  readonly peer: Peer;
  readonly agreed: Session | undefined;
  readonly open: boolean;
  readonly channels: {
    forget(channel: Channel): void;
    /** The channel has confirms to write at the end of this turn. */
    owes(channel: Channel): void;
  };
  understands(capability: string): boolean;
  canTakeMore(subscription: Subscription): boolean;
}

/** A channel that is open. */
export interface Channel {
  readonly connection: Client;
  readonly number: number;
  readonly unacked: Unacked;
  readonly counters: MessageCounters;
  readonly subscriptions: Map<string, Subscription>;
  /** Set by confirm.select. */
  confirms: Confirms | undefined;
  /** Set by tx.select. */
  transaction: Transaction | undefined;
  /** Prefetch that the next consumers get. */
  prefetch: number;
  /** The queue that an empty queue name stands for. */
  lastQueue: string;
  replies: ReplyConsumer | undefined;
  reply<N extends MethodName>(name: N, args: Args<N>): void;
  detach(): void;
  release(): void;
  rollback(): void;
  flushConfirms(when: 'later' | 'now'): void;
  unsubscribe(subscription: Subscription): void;
  subscriptionLost(subscription: Subscription): void;
}
