import type { Deadline, Deadlines } from '../../runtime/deadlines.js';
import type { OutgoingMessage, ReceivedMessage } from '../../message/message.js';
import { RpcConnectionLostError, RpcNoServerError } from '../../errors/rpc-errors.js';
import { timedOut, type PendingCall, type WhyUnsent } from './pending-calls.js';
import type { Cancellation } from './cancellation.js';
import { readPart, type ReplyReading } from './decode-reply.js';

/** What a call is made from. */
export interface CallOptions {
  readonly message: OutgoingMessage;
  readonly timeout: number;
  readonly cancellation: Cancellation;
  readonly reading: ReplyReading;
  /** How often it may be sent again when the connection is lost. */
  readonly resends: number;
}

/** Who makes calls and hears how they end. */
export interface Caller {
  readonly deadlines: Deadlines;
  readonly whyUnsent: WhyUnsent;
  /** Sends it once more. */
  again(call: Call): void;
  /** It is over. `left`: its server may still be at work for nobody. */
  ended(call: Call, left: boolean): void;
}

/**
 * One call under way: its deadline, its signal, and its one end. A reply, a return, a time-out, an abort and
 * a lost channel may all come; the first counts. It is its own deadline.
 */
export class Call implements PendingCall, Deadline {
  readonly id: string;
  tick = 0;
  place = 0;
  ended = false;
  private resends: number;
  /** And lost: what waits now is a second one. */
  private wasSent = false;
  /** Of an answer in several parts: the last one with a value. */
  private last: ReceivedMessage | undefined;

  constructor(
    private readonly options: CallOptions,
    private readonly by: Caller,
    private readonly resolve: (reply: ReceivedMessage) => void,
    private readonly reject: (error: Error) => void,
  ) {
    this.id = options.message.properties.correlationId as string;
    this.resends = options.resends;
    by.deadlines.add(options.timeout, this);
    options.cancellation.listen(this);
  }

  get message(): OutgoingMessage {
    return this.options.message;
  }

  onReply(reply: ReceivedMessage): void {
    const part = partOf(reply, this.options.reading);
    if (part === 'more') this.last = reply;
    else if (this.end(false)) this.resolve(part === 'end' && this.last ? this.last : reply);
  }

  onReturned(): void {
    this.fail(new RpcNoServerError(this.message.exchange, this.message.routingKey));
  }

  onLost(reason: string): void {
    this.wasSent = true;
    if (this.resends-- > 0) return this.by.again(this);
    this.fail(new RpcConnectionLostError(this.message.exchange, this.message.routingKey, new Error(reason)));
  }

  fail(error: Error): void {
    if (this.end(false)) this.reject(error);
  }

  /** Its time is over. */
  onExpired(): void {
    const unsent = this.wasSent ? undefined : this.by.whyUnsent(this.id);
    this.leave(timedOut(this.message, this.options.timeout, this.id, unsent));
  }

  /** A signal aborted. */
  handleEvent(): void {
    this.leave(this.options.cancellation.error({ ...this.message, correlationId: this.id }));
  }

  private leave(error: Error | undefined): void {
    if (error && this.end(true)) this.reject(error);
  }

  /** False when it had ended before. */
  private end(left: boolean): boolean {
    if (this.ended) return false;
    this.ended = true;
    this.by.deadlines.clear(this);
    this.options.cancellation.forget(this);
    this.by.ended(this, left);
    return true;
  }
}

/** Whether a reply is one of several: for wires that stream in a form of their own. */
function partOf(reply: ReceivedMessage, reading: ReplyReading): 'more' | 'last' | 'end' {
  if (!reading.codec?.encodeEnd) return 'last';
  try {
    const part = readPart(reply, reading);
    if (part.kind === 'end') return 'end';
    return part.more ? 'more' : 'last';
  } catch {
    // An error, which ends every answer; it is read again by whoever asked.
    return 'last';
  }
}
