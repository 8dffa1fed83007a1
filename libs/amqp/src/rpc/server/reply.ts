// The reply to a caller: what it says, where it may go, and the message that is sent there.

import { DecodeError, isError, PluginError, RabbitError } from '../../errors/errors.js';
import type { PublishResult } from '../../plugins/plugin.js';
import { ownTimeout } from '../../publish/pending-send.js';
import { randomUUID } from 'node:crypto';
import type { RemoteErrorFacts, Encoded, EncodedBody } from '../../message/codecs/codec.js';
import { asBuffer } from '../../message/codecs/codecs.js';
import { knownErrorFacts } from '../../errors/known-errors.js';
import { describeError, printable } from '../../runtime/logger.js';
import { errorAtCaller } from '../../consume/failure-log.js';
import { OutcomeSignal } from '../../errors/signals.js';
import { codeOf, errorFields, thrownFacts, thrownValue, type ThrownFacts } from '../../errors/error-facts.js';
import type { RpcContext } from './active-calls.js';
import { isDirectReply, isWellFormed, type Server } from '../../message/direct-reply.js';
import type { Settings } from '../../options/settings.js';
import { aboutMessage, type Delivery, named } from '../../message/delivery.js';
import { HEADER } from '../../message/headers.js';
import { bodySize, type Headers, type OutgoingMessage } from '../../message/message.js';
import { type ReplyWaiter, newMessageId } from '../../message/outgoing.js';

// What a remote caller may know about an error: what was meant for it, what both sides registered, else the class of
// the error and an id that is in our log. Never a stack.

/** The facts that are sent. */
export function callerErrorFacts(
  context: RpcContext,
  error: unknown,
  { run }: Pick<Delivery, 'run'>,
): RemoteErrorFacts {
  const shared = context.plan.rpc && knownErrorFacts(context.plan.rpc.known, error);
  if (shared) return shared;
  const known = context.remoteError?.(error);
  if (known) return known;
  const facts = isError(error) ? told(thrownFacts(error)) : thrownValue(error);
  // What the caller must correct, field by field.
  const refusal =
    error instanceof DecodeError && run.refused === true ? { data: { issues: error.issues } } : {};
  const code = codeOf(error);
  if (context.settings.rpc.exposeErrors || isForCaller(error)) {
    return { ...facts, ...(code === undefined ? {} : { code }), ...refusal };
  }
  // The line about the failure tells which error that was.
  const id = (run.errorId ??= randomUUID());
  return {
    name: facts.name,
    message: `internal error ${id}`,
    code: error instanceof RabbitError ? error.code : 'INTERNAL',
  };
}

// A stack is never sent.
function told({ name, message }: ThrownFacts): Pick<RemoteErrorFacts, 'name' | 'message'> {
  return { name, message };
}

// Other errors of this library in a handler (a publish that failed, for example) are not for the caller.
function isForCaller(error: unknown): boolean {
  if (error instanceof OutcomeSignal) return true;
  return error instanceof RabbitError && ABOUT_THE_CALL.has(error.code);
}

const ABOUT_THE_CALL = new Set([
  'WARREN_CALLER_LEFT',
  'WARREN_DECODE',
  'WARREN_ENCODE',
  'WARREN_HANDLER_TIMEOUT',
  'WARREN_MESSAGE_ID_REUSED',
  'WARREN_NO_HANDLER',
  'WARREN_TOO_LARGE',
  'WARREN_POISON',
  'WARREN_READER_IDLE',
  'WARREN_RPC_PROTOCOL',
  'WARREN_SHUTTING_DOWN',
]);

// Where a reply may go. A request names the address itself, so it can be anything: a queue of another
// service, which would take the reply for a message; the queue of the request, so that the handler replies to
// itself for ever; or a direct reply-to address that this broker does not survive (message/direct-reply.ts).

/** Where a reply goes. */
export interface ReplyAddress {
  readonly name: string;
  /** The caller consumes it on the channel on which it called: it is no queue. */
  readonly direct: boolean;
}

/** Queues that only their owner reads: ours, and those that RabbitMQ named, which clients make exclusive. */
const OWN = /^amq\.gen-|\.replies\.[0-9a-f]{8}$/;

/** Whether a reply may be sent to `replyTo`. `allowed`: `any` queue, or prefixes of names beside the usual ones. */
export function mayReplyTo(
  replyTo: string,
  requestQueue: string,
  allowed: Settings['rpc']['replyTo'],
  server: Server,
): boolean {
  if (isDirectReply(replyTo)) return isWellFormed(replyTo, server);
  if (replyTo === requestQueue) return false;
  if (allowed === 'any' || OWN.test(replyTo)) return true;
  return allowed.some((prefix) => replyTo.startsWith(prefix));
}

/** Addresses that are remembered of each broker: limited, since any client can create some. */
const REMEMBERED = 1_000;

/** Direct addresses that a broker could have made. A caller has one for all its calls. */
const wellFormed = new WeakMap<Server, Map<string, ReplyAddress>>();

function remember(server: Server, address: ReplyAddress): ReplyAddress {
  const known = wellFormed.get(server) ?? new Map<string, ReplyAddress>();
  if (known.size >= REMEMBERED) known.clear();
  wellFormed.set(server, known.set(address.name, address));
  return address;
}

/** A reply's body, and whether it is an error. */
export interface Reply extends EncodedBody {
  readonly isError?: boolean;
}

/** A value as a reply. @throws when it cannot be encoded or is too large */
export function valueReply({ forwarder, plan, settings }: RpcContext, value: unknown, more = false): Reply {
  const { codec } = plan;
  const own = codec?.encodeReply?.(value, more);
  const encoded =
    codec && own
      ? asBuffer(own, codec)
      : forwarder.codecs.encode(value, undefined, codec, { exchange: '', routingKey: '' });
  // A character takes three bytes at most.
  if (encoded.content.length * 3 <= settings.maxMessageBytes) return encoded;
  const size = bodySize(encoded.content);
  if (size <= settings.maxMessageBytes) return encoded;
  throw new RabbitError(
    'WARREN_TOO_LARGE',
    `the reply has ${size} bytes, but maxMessageBytes of the service is ${settings.maxMessageBytes}`,
    'reply with a reference instead, or raise the limit on both sides',
  );
}

/** An error as a reply. Never throws: without its data when that cannot be encoded or is too large. */
export function errorReply(context: RpcContext, error: unknown, delivery: Delivery): Reply {
  const { codec } = context.plan;
  const facts = callerErrorFacts(context, error, delivery);
  try {
    const own = codec?.encodeError?.(facts);
    const encoded = codec && own ? asBuffer(own, codec) : jsonFacts(facts);
    if (encoded.content.length > context.settings.maxMessageBytes) throw new RangeError('too large');
    return { ...encoded, isError: true };
  } catch {
    const { name, code } = facts;
    return { ...jsonFacts({ name, message: facts.message.slice(0, 1_000), code }), isError: true };
  }
}

function jsonFacts(facts: object): Encoded {
  return { content: Buffer.from(JSON.stringify(facts)), contentType: 'application/json' };
}

/** Where a request wants its reply; undefined (and a line in the log) when it must not have one there, or wants none. */
export function replyAddress(context: RpcContext, delivery: Delivery): ReplyAddress | undefined {
  const { plan, settings, logger, calls, source } = context;
  const { replyTo } = delivery.message.properties;
  if (!replyTo) {
    const none = `${plan.id} replied to ${named(delivery)}, which has no reply-to; the reply was dropped`;
    calls.lines.say(
      (text) => logger.warn(text, { event: 'reply-not-asked', ...aboutMessage(delivery) }),
      none,
    );
    return undefined;
  }
  const { server } = source.connection;
  const known = wellFormed.get(server)?.get(replyTo);
  if (known) return known;
  if (mayReplyTo(replyTo, delivery.queue, settings.rpc.replyTo, server)) {
    return isDirectReply(replyTo)
      ? remember(server, { name: replyTo, direct: true })
      : { name: replyTo, direct: false };
  }
  const line = `${plan.id}: no reply to ${named(delivery)}: its reply-to '${printable(replyTo)}' is not allowed; allow it with rpc.replyTo if it is a queue of the caller`;
  calls.lines.say(
    (text) => logger.error(text, { event: 'reply-not-allowed', ...aboutMessage(delivery) }),
    line,
  );
  return undefined;
}

const NO_HEADERS: Headers = Object.freeze({});

/** One reply as a message. */
export function replyMessage(
  context: RpcContext,
  delivery: Delivery,
  { name, direct }: ReplyAddress,
  reply: Reply,
  headers: Headers = NO_HEADERS,
): OutgoingMessage {
  let all = headers;
  if (reply.isError) all = { ...all, [HEADER.rpcError]: 1 };
  // What tells to which call it is, beside the correlation id: a common library's header, and our own.
  const requestId = delivery.headers['X-Request-ID'];
  if (typeof requestId === 'string') all = { ...all, 'X-Request-ID': requestId };
  const call = delivery.headers[HEADER.call];
  if (typeof call === 'string') all = { ...all, [HEADER.call]: call };
  if (context.plan.rpc?.broadcast) all = { ...all, [HEADER.run]: instanceOf(context) };
  return {
    exchange: '',
    routingKey: name,
    content: reply.content,
    // RabbitMQ returns messages to a direct reply-to address although it delivers them.
    mandatory: !direct,
    properties: {
      contentType: reply.contentType,
      headers: all,
      deliveryMode: 1,
      correlationId: delivery.message.properties.correlationId,
      messageId: newMessageId(),
      timestamp: Math.floor(context.clock.wall() / 1_000),
    },
  };
}

/** Tells the answers of one handler of one instance from all others. */
function instanceOf({ calls, plan }: RpcContext): string {
  return `${calls.instance}/${plan.id}`.slice(0, 100);
}

/** An item of a streamed reply: the plugins may take their time over it, but it is sent after the one before. */
export interface StreamedPart {
  /** From 1. */
  readonly number: number;
  /** Resolves when the item before was sent, rejects when it never will be. */
  readonly before: Promise<unknown>;
  /** This one was sent. */
  readonly onSent: () => void;
}

/** Sends a reply, or an item of a streamed one, through the plugins. A caller whose reply a plugin refuses is told so. */
export function replyWithPlugins(
  context: RpcContext,
  delivery: Delivery,
  message: OutgoingMessage,
  waiter: ReplyWaiter,
  part?: StreamedPart,
): void {
  const { plugins, replies, settings } = context;
  const { mandatory, routingKey, properties } = message;
  const { messageId = '' } = properties;
  const send = async (changed: OutgoingMessage): Promise<PublishResult> => {
    await part?.before;
    const sent = replies.send(changed);
    part?.onSent();
    await sent;
    return { messageId, routed: true };
  };
  const lost = (error: Error): void => {
    if (!(error instanceof PluginError) || part !== undefined) return waiter.onLost(error);
    const instead = errorReply(context, error, delivery);
    context.logger.error(
      `${context.plan.id}: the reply to ${named(delivery)} was refused: ${printable(describeError(error))}; the caller got ${errorAtCaller(delivery)}`,
      {
        event: 'reply-refused',
        ...aboutMessage(delivery),
        ...errorFields(error),
        errorId: delivery.run.errorId,
      },
    );
    const address = { name: routingKey, direct: !mandatory };
    replies.begin(replyMessage(context, delivery, address, instead), waiter);
  };
  plugins
    .publish({ kind: 'reply', message, delivery, part: part?.number, timeout: ownTimeout(settings) }, send)
    .then(() => waiter.onArrived(), lost);
}
