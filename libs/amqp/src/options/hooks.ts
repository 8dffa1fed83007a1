// What a framework around the broker object, or a test, puts into it: no options, because no user needs them.

import type { Clock } from '../runtime/clock.js';
import type { RemoteErrorFacts } from '../message/codecs/codec.js';

/** For frameworks and tests. */
export interface BrokerHooks {
  readonly clock?: Clock;
  /** Tells this broker object from others of the process, to who listens on node:diagnostics_channel. Default `default`. */
  readonly name?: string;
  /** What a remote caller may know about an error; undefined leaves it to `rpc.exposeErrors`. */
  readonly remoteError?: (error: unknown) => RemoteErrorFacts | undefined;
  /** Registers handlers and topology if that was not done yet: asked when somebody publishes before `open`. */
  readonly register?: () => void;
  /** Deadlines end at their very time, instead of up to 20 ms later, and waits of retries have no jitter. For tests that move time. */
  readonly exact?: boolean;
  /** The least time between two looks at what others may have left in wait queues, or stopped delivering, in ms. */
  readonly upkeep?: number;
  /** Shortens waits of retries and delays. */
  readonly shortenWait?: (ms: number) => number;
  /** How long after its wait a message comes back when no process moves it, in ms. Default 30 000. */
  readonly grace?: number;
}
