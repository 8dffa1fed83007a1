// What the steps of calls may use beside what all steps may.

import type { HandlerContext } from '../../consume/step.js';
import type { RemoteErrorFacts } from '../../message/codecs/codec.js';
import type { ReplySender } from '../../message/forwarder.js';
import type { ActiveCalls } from './active-calls.js';
import type { CallerLiveness } from './caller-liveness.js';

/** For every handler that serves calls. */
export interface RpcContext extends HandlerContext, CallContext {}

/** For all of them together. */
export interface CallContext {
  /** For replies: a separate connection, so that an address that makes the broker close it harms nothing else. */
  readonly replies: ReplySender;
  /** Calls that this process serves now. */
  readonly calls: ActiveCalls;
  /** Whether callers are still there. */
  readonly callers: CallerLiveness;
  /** What may be told to a remote caller about an error, when the application knows better. */
  readonly remoteError: ((error: unknown) => RemoteErrorFacts | undefined) | undefined;
}
