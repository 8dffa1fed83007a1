import { EncodeError } from '../../errors/errors.js';
import type { PendingCallDetails } from '../../events/broker-details.js';
import { Cancellation, callServedBy } from './cancellation.js';
import { GATHER_EXCHANGE } from '../../message/call-control.js';
import type { Clock, Deadlines } from '../../runtime/clock.js';
import type { CodecLookup } from '../../message/codecs/codec.js';
import { milliseconds } from '../../options/duration.js';
import { HEADER } from '../../message/headers.js';
import { errorClasses, NO_CLASSES } from '../../errors/known-errors.js';

import { newMessageId, outgoing, outgoingHeaders, newCorrelationId } from '../../message/outgoing.js';
import { whole } from '../../options/option-checks.js';
import type {
  Gathered,
  GatherOptions,
  RequestOptions,
  StreamOptions,
} from '../../options/publish-options.js';
import { validate } from '../../message/schema.js';
import {
  currentDelivery,
  type Handled,
  inheritance,
  inheritedHeaders,
} from '../../message/current-delivery.js';
import type { Settings } from '../../options/settings.js';
import type { Plugins } from '../../plugins/plugins.js';
import type { PublishResult } from '../../plugins/plugin.js';
import type { ContractPublish } from '../../publish/contract-publish.js';
import {
  Call,
  type CallOptions,
  type KeptReply,
  keptReply,
  type PendingCall,
  type ReplyReading,
  type WhyUnsent,
} from './call.js';
import { GatherCall } from './gather.js';
import { ReplyChannel, type ReplyChannelOptions } from './reply-channel.js';
import { StreamCall, StreamReader } from './stream.js';

/** Dependencies. */
export interface RequesterOptions extends ReplyChannelOptions {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly codecs: CodecLookup;
  readonly plugins: Plugins;
}

/** A request, and how long and for whom it is worth working on. */
type Prepared = CallOptions;

/** What a plugin is told of how a call ended. */
type CallResult = Pick<PublishResult, 'value' | 'replies'>;

const CREDIT = 64;

/** Replies of the largest size that one call may hold at once: unread items of a stream, gathered replies. */
const HELD = 4;

/**
 * The calling side of RPC: one reply, a stream of items, or one reply from each instance. Creates the request and the
 * pending call; `ReplyChannel` sends them.
 */
export class Requester {
  private readonly replyChannel: ReplyChannel;
  /** For calls without a codec and errors of their own. */
  private readonly usual: ReplyReading;

  constructor(private readonly options: RequesterOptions) {
    this.replyChannel = new ReplyChannel(options);
    const { codecs, settings } = options;
    this.usual = { codecs, codec: undefined, known: NO_CLASSES, maxBytes: settings.maxMessageBytes };
  }

  /** Number of calls that wait for a reply, or to be sent. */
  get pending(): number {
    return this.replyChannel.pending;
  }

  /** The oldest first. */
  details(): PendingCallDetails[] {
    return this.replyChannel.calls.map(callDetails).sort((one, other) => one.since - other.since);
  }

  /** Sends waiting calls. */
  flush(): void {
    this.replyChannel.flush();
  }

  /** Ends every call with ConnectionLostError. */
  close(): Promise<void> {
    return this.replyChannel.close();
  }

  /** Calls the handler of `routingKey` (on the default exchange: that queue). */
  request(routingKey: string, payload: unknown, options: RequestOptions): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const call = this.prepare(options.exchange ?? '', routingKey, payload, options);
      if (this.options.plugins.none) {
        return this.replyChannel.begin(new Call(call, this.replyChannel, resolve, reject));
      }
      const { schema } = call;
      this.plugged('request', call, payload, (sent, done, failed) => {
        const answered = (value: unknown): void => done({ value });
        this.replyChannel.begin(
          new Call({ ...sent, schema: undefined }, this.replyChannel, answered, failed),
        );
      }).then(({ value }) => resolve(schema ? validate(schema, value) : value), reject);
    });
  }

  /** Calls a handler that replies with a stream of items. Begins when it is first read, ends when the loop is left. */
  stream(agree: () => Promise<ContractPublish<StreamOptions>>, payload: unknown): StreamReader {
    return new StreamReader(async () => {
      const { name, options } = await agree();
      const credit = options.credit ?? CREDIT;
      const wrong = whole(1, 100_000)(credit);
      if (wrong) throw new EncodeError(`the credit of a stream must be ${wrong}`, '');
      const call = this.prepare(options.exchange ?? '', name, payload, options, credit);
      const { schema } = options;
      if (this.options.plugins.none) return { stream: this.streamed(call, credit).stream, schema };
      return new Promise((resolve, reject) => {
        this.plugged('stream', call, payload, (sent, done, failed) => {
          const { stream } = this.streamed(sent, credit, ({ error, items }) =>
            error ? failed(error) : done({ replies: items }),
          );
          resolve({ stream, schema });
        }).catch(reject);
      });
    });
  }

  /** Calls every instance that listens. */
  async gather(routingKey: string, payload: unknown, options: GatherOptions): Promise<Gathered[]> {
    const call = this.prepare(GATHER_EXCHANGE, routingKey, payload, options);
    const expect = options.expect ?? Infinity;
    const wrong = options.expect === undefined ? undefined : whole(1, 10_000)(expect);
    if (wrong) throw new EncodeError(`expect of a gather must be ${wrong}`, '');
    const replies = await new Promise<readonly KeptReply[]>((resolve, reject) => {
      if (this.options.plugins.none) return this.collect(call, expect, resolve, reject);
      let got: readonly KeptReply[] = [];
      this.plugged('gather', call, payload, (sent, done, failed) => {
        this.collect(sent, expect, (list) => done({ replies: (got = list).length }), failed);
      }).then(() => resolve(got), reject);
    });
    return Promise.all(
      replies.map(async (reply): Promise<Gathered> => {
        try {
          const part = reply.part();
          const value = part.kind === 'end' ? undefined : part.value;
          return { value: options.schema ? await validate(options.schema, value) : value };
        } catch (error) {
          return { error: error as Error };
        }
      }),
    );
  }

  private collect(
    call: Prepared,
    expect: number,
    gathered: (replies: readonly KeptReply[]) => void,
    failed: (error: Error) => void,
  ): void {
    const pending = new GatherCall({
      ...call,
      expect,
      keep: (reply) => keptReply(reply, call.reading),
      deadlines: this.options.deadlines,
      whyUnsent: this.whyUnsent,
      maxBytes: HELD * this.options.settings.maxMessageBytes,
      onEnd: (result) => {
        this.replyChannel.ended(pending, result.left);
        if ('error' in result) failed(result.error);
        else gathered(result.replies);
      },
    });
    this.replyChannel.begin(pending);
  }

  /** A call whose request goes through plugins first, in the time that it has. */
  private plugged(
    kind: 'request' | 'stream' | 'gather',
    call: Prepared,
    payload: unknown,
    begin: (call: Prepared, done: (result: CallResult) => void, failed: (error: Error) => void) => void,
  ): Promise<PublishResult> {
    const { plugins, clock } = this.options;
    const { message, timeout, cancellation, resends } = call;
    const { messageId = '', correlationId = '' } = message.properties;
    const began = clock.monotonic();
    return plugins.publish({ kind, message, payload, timeout, idempotent: resends > 0 }, (changed) => {
      return new Promise((resolve, reject) => {
        // Plugins may have taken their time.
        const over =
          cancellation?.error({ ...changed, correlationId }) ?? this.replyChannel.closeReason(correlationId);
        if (over) return reject(over);
        const left = Math.max(1, Math.ceil(timeout - (clock.monotonic() - began)));
        const done = (result: CallResult): void => resolve({ messageId, routed: true, ...result });
        begin({ ...call, message: changed, timeout: left }, done, reject);
      });
    });
  }

  private streamed(
    { reading, ...call }: Prepared,
    credit: number,
    ended: (how: { readonly error: Error | undefined; readonly items: number }) => void = () => undefined,
  ): StreamCall {
    const pending: StreamCall = new StreamCall({
      ...call,
      credit,
      deadlines: this.options.deadlines,
      whyUnsent: this.whyUnsent,
      maxBytes: HELD * this.options.settings.maxMessageBytes,
      read: (reply) => keptReply(reply, reading),
      tell: (control, queue) => {
        const target = queue === undefined ? call.message : { queue };
        if (pending.sent) this.replyChannel.tell(control, target);
      },
      onEnd: () => {
        this.replyChannel.ended(pending, false);
        ended({ error: pending.stream.failure, items: pending.stream.received });
      },
    });
    this.replyChannel.begin(pending);
    return pending;
  }

  /** The request, bounded by what is left to the handler that makes it. @throws what keeps it from being made */
  private prepare(
    exchange: string,
    routingKey: string,
    payload: unknown,
    options: RequestOptions,
    credit?: number,
  ): Prepared {
    const { settings, clock, codecs } = this.options;
    // Who knows it can answer the call, and end it.
    const correlationId = options.correlationId ?? newCorrelationId();
    const handled = currentDelivery.getStore();
    const scope = handled && callServedBy(handled);
    const given =
      options.timeout === undefined ? settings.rpc.timeout : milliseconds(options.timeout, 'timeout');
    const left = scope?.deadline === undefined ? undefined : Math.ceil(scope.deadline - clock.monotonic());
    const timeout = Math.min(given, left ?? Infinity);
    const cancellation = options.signal || scope ? new Cancellation(options.signal, scope, clock) : undefined;
    const closeReason =
      cancellation?.error({ exchange, routingKey, correlationId }) ??
      this.replyChannel.closeReason(options.correlationId);
    if (closeReason) throw closeReason;
    const now = clock.wall();
    const worthIt = credit === undefined ? timeout : left;
    const headers = requestHeaders(handled, settings, options);
    if (worthIt !== undefined) headers[HEADER.deadline] = Math.floor(now + worthIt);

    if (credit !== undefined) headers[HEADER.stream] = credit;
    if (credit !== undefined && left !== undefined) headers[HEADER.timeLeft] = left;
    const message = outgoing(
      {
        exchange,
        routingKey,
        persistent: false,
        mandatory: true,
        timestamp: now,
        appId: settings.service,
        correlationId,
        headers,
        // A request without a waiting caller is not worth running.
        expiration: String(Math.max(0, Math.round(timeout))),
        maxBytes: settings.maxMessageBytes,
      },
      codecs.encode(payload, options.contentType, options.codec, { exchange, routingKey, correlationId }),
      options,
    );
    const { codec, errors, schema } = options;
    const reading =
      codec || errors ? { ...this.usual, codec, known: errorClasses(errors, 'a call') } : this.usual;
    return { message, timeout, cancellation, reading, schema, resends: options.idempotent === true ? 1 : 0 };
  }

  private readonly whyUnsent: WhyUnsent = (call) => this.replyChannel.whyUnsent(call);
}

function callDetails(call: PendingCall): PendingCallDetails {
  const { exchange, routingKey, properties } = call.message;
  const { messageId, timestamp = 0, expiration, headers } = properties;
  const kind = call instanceof GatherCall ? 'gather' : call instanceof StreamCall ? 'stream' : 'request';
  const said = headers?.[HEADER.deadline];
  const deadline = typeof said === 'number' ? said : undefined;
  const isTimed = kind !== 'stream' && deadline !== undefined;
  return {
    kind,
    messageId: call.idempotent ? undefined : messageId,
    exchange,
    routingKey,
    sent: call.sent,
    since: isTimed ? deadline - Number(expiration) : timestamp * 1_000,
    deadline,
  };
}

/** Those of the caller, and what a request takes over from the message that is being handled. */
function requestHeaders(
  handled: Handled | undefined,
  settings: Settings,
  { headers, correlationId }: RequestOptions,
): Record<string, unknown> {
  const all = handled
    ? inheritedHeaders(inheritance(handled, settings), headers, true)
    : headers === undefined
      ? {}
      : outgoingHeaders(headers);
  // A call may have the id of one that is over for its caller, and not yet for its servers.
  if (correlationId !== undefined) all[HEADER.call] = newMessageId();
  return all;
}
