import type { HandlerContext } from '../../consume/step.js';
import type { RemoteErrorFacts } from '../../message/codecs/codec.js';
import type { ReplySender } from '../../message/outgoing.js';
import type { CallerLiveness } from './caller-liveness.js';
import { type Clock, systemClock } from '../../runtime/clock.js';
import type { Delivery } from '../../message/delivery.js';
import type { Credit } from './reply-stream.js';
import { randomUUID } from 'node:crypto';
import type { CallControl } from '../../message/call-control.js';
import { IdMap, type Listed } from '../../runtime/id-map.js';
import { HEADER } from '../../message/headers.js';
import { LogLimiter } from '../../runtime/logger.js';
import { CallerLeftError, ShuttingDownError } from '../../errors/rpc-errors.js';

// What the steps of calls may use beside what all steps may.

/** For every handler that serves calls. */
export interface RpcContext extends HandlerContext, CallContext {}

/** For all of them together. */
export interface CallContext {
  /** For replies: a separate connection, so that an address that makes the broker close it harms nothing else. */
  readonly replies: ReplySender;
  /** Calls that this process serves now. */
  readonly calls: ActiveCalls;
  /** Whether callers still wait. */
  readonly callers: CallerLiveness;
  /** What may be told to a remote caller about an error, when the application knows better. */
  readonly remoteError: ((error: unknown) => RemoteErrorFacts | undefined) | undefined;
}

/** One call that is being answered. */
export interface RunningCall extends Listed {
  readonly delivery: Delivery;
  /** Of a streamed answer. */
  readonly credit?: Credit;
}

/** Enough for the requests of a whole prefetch of many handlers. */
const REMEMBERED = 10_000;

/** How long, in ms: a cancel comes at most a prefetch earlier than its request is looked at. */
const REMEMBERED_FOR = 60_000;

/**
 * The calls that this process answers now, by correlation id, so that a caller who leaves or grants credit
 * finds its handler. Remembers for a while who left before its request was even looked at. One per broker
 * object.
 */
export class ActiveCalls extends IdMap<RunningCall> {
  /** The broker refuses the control queue of this process: no caller could grant a stream more credit. */
  unreachable = false;
  /** Lines that could come for every call. */
  readonly lines: LogLimiter;
  private queue = '';
  /** Tells the answers of one instance from those of another. */
  readonly instance = randomUUID();
  /** Callers that left before their request was looked at, when, and the mark of their call; the oldest first. */
  readonly left: Map<string, { readonly since: number; readonly call: string | undefined }> = new Map();

  constructor(private readonly clock: Clock = systemClock) {
    super();
    this.lines = new LogLimiter(clock);
  }

  /** Where callers reach this process; empty until its queue is there. */
  get controlQueue(): string {
    return this.queue;
  }

  set controlQueue(name: string) {
    this.queue = name;
    // The readers of streams use the former queue until they learn of this one.
    if (name !== '') for (const { credit } of this.values()) credit?.signOfLife();
  }

  /** The application ends: streams may have no end of their own. */
  stopStreams(): void {
    for (const { delivery } of this.values()) {
      if (delivery.run.streamed) delivery.abort(new ShuttingDownError());
    }
  }

  /** Whether the answer of a call is being streamed by an earlier delivery of the same request. */
  isStreaming({ message }: Delivery): boolean {
    return this.get(message.properties.correlationId ?? '')?.credit !== undefined;
  }

  /** Whether the caller left before its request was started. Asked once for each. */
  hasLeft(id: string, request: Delivery): boolean {
    const found = this.left.get(id);
    if (found === undefined || !isOf(found.call, request)) return false;
    this.left.delete(id);
    return this.clock.monotonic() - found.since < REMEMBERED_FOR;
  }

  /** A caller said something. */
  onControl(control: CallControl): void {
    const latest = this.get(control.id);
    if (control.kind === 'credit') return latest?.credit?.read(control.count);
    const { id, call } = control;
    const meant =
      latest === undefined || isOf(call, latest.delivery)
        ? latest
        : this.values().find((one) => one.id === id && isOf(call, one.delivery));
    if (meant) meant.delivery.abort(new CallerLeftError());
    else this.remember(id, call);
  }

  private remember(id: string, call: string | undefined): void {
    const now = this.clock.monotonic();
    for (const [oldest, { since }] of this.left) {
      if (this.left.size < REMEMBERED && now - since < REMEMBERED_FOR) break;
      this.left.delete(oldest);
    }
    this.left.set(id, { since: now, call });
  }
}

/** Whether a cancel is about this request. Other programs may name only the id. */
function isOf(call: string | undefined, { headers }: Delivery): boolean {
  return call === undefined || call === headers[HEADER.call];
}
