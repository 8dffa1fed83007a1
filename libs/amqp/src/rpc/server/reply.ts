// Answers a caller: makes the reply and sends it where the request says. An answer that cannot be delivered is logged
// and never brings the request back.

import { isError, PluginError, RabbitError } from '../../errors/errors.js';
import type { PublishResult } from '../../plugins/plugin.js';
import { ownTimeout } from '../../publish/pending-send.js';
import { randomUUID } from 'node:crypto';
import type { RemoteErrorFacts, Encoded } from '../../message/codecs/codec.js';
import { knownErrorFacts } from '../../errors/known-errors.js';
import { describeError, printable } from '../../runtime/logger.js';
import { OutcomeSignal } from '../../errors/signals.js';
import { thrownFacts, thrownValue, type ThrownFacts } from '../../errors/error-facts.js';
import type { RpcContext } from './active-calls.js';
import { isDirectReply, isWellFormed, type Server } from '../../message/direct-reply.js';
import type { Settings } from '../../options/settings.js';
import { type Delivery, type Ending, named } from '../../message/delivery.js';
import { HEADER } from '../../message/headers.js';
import type { Headers, OutgoingMessage } from '../../message/message.js';
import { AccessRefusedError } from '../../errors/topology-errors.js';
import { type ReplyWaiter, newMessageId } from '../../message/outgoing.js';

// What a remote caller may know about an error: what was meant for it, what both sides registered, else the class of
// the error and an id that is in our log. Never a stack.

/** The facts that travel. */
export function callerErrorFacts(context: RpcContext, error: unknown): RemoteErrorFacts {
  const shared = context.plan.rpc && knownErrorFacts(context.plan.rpc.known, error);
  if (shared) return shared;
  const known = context.remoteError?.(error);
  if (known) return known;
  const facts = isError(error) ? told(thrownFacts(error)) : thrownValue(error);
  const code = codeOf(error);
  if (context.settings.rpc.exposeErrors || isForCaller(error)) {
    return { ...facts, ...(code === undefined ? {} : { code }) };
  }
  const id = randomUUID();
  context.logger.error(
    `${context.plan.id}: error ${id} for a remote caller: ${printable(describeError(error))}`,
  );
  return {
    name: facts.name,
    message: `internal error ${id}`,
    code: error instanceof RabbitError ? error.code : 'INTERNAL',
  };
}

// A stack never travels.
function told({ name, message }: ThrownFacts): Pick<RemoteErrorFacts, 'name' | 'message'> {
  return { name, message };
}

// Other errors of this library that a handler runs into (a publish of its own that failed) are its own affair.
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

function codeOf(error: unknown): string | number | undefined {
  try {
    const { code } = (error ?? {}) as { code?: unknown };
    return typeof code === 'string' || typeof code === 'number' ? code : undefined;
  } catch {
    return undefined;
  }
}

// Where a reply may go. A request names the address itself, so it can be anything: a queue of another
// service, which would take the reply for a message; the queue of the request, so that the handler replies to
// itself for ever; or a direct reply-to address that this broker does not survive (message/direct-reply.ts).

/** Addresses that were found well formed: limited, since any client can create some. */
const REMEMBERED = 1_000;
const wellFormed = new Set<string>();

/** Queues that only their owner reads: ours, and those that RabbitMQ named, which clients make exclusive. */
const OWN = /^amq\.gen-|\.replies\.[0-9a-f]{8}$/;

/** Whether an answer may be sent to `replyTo`. `allowed`: `any` queue, or the beginnings of names beside the usual ones. */
export function mayReplyTo(
  replyTo: string,
  requestQueue: string,
  allowed: Settings['rpc']['replyTo'],
  server: Server,
): boolean {
  // A caller has one address for all its calls, and what RabbitMQ could have made no other broker minds.
  if (wellFormed.has(replyTo)) return true;
  if (!isDirectReply(replyTo)) {
    if (replyTo === requestQueue) return false;
    if (allowed === 'any' || OWN.test(replyTo)) return true;
    return allowed.some((prefix) => replyTo.startsWith(prefix));
  }
  if (!isWellFormed(replyTo, server)) return false;
  if (server.product !== 'RabbitMQ') return true;
  if (wellFormed.size >= REMEMBERED) wellFormed.clear();
  wellFormed.add(replyTo);
  return true;
}

/** A reply's body, and whether it is an error. */
export interface Reply extends Encoded {
  readonly isError?: boolean;
}

/** A value as a reply. @throws when it cannot travel */
export function valueReply({ forwarder, plan, settings }: RpcContext, value: unknown, more = false): Reply {
  const { codec } = plan;
  const encoded =
    codec?.encodeReply?.(value, more) ??
    forwarder.codecs.encode(value, undefined, codec, { exchange: '', routingKey: '' });
  const { length } = encoded.content;
  if (length <= settings.maxMessageBytes) return encoded;
  throw new RabbitError(
    'WARREN_TOO_LARGE',
    `the reply has ${length} bytes, but maxMessageBytes of the service is ${settings.maxMessageBytes}`,
    'reply with a reference instead, or raise the limit on both sides',
  );
}

/** An error as a reply. Never throws: facts that cannot travel lose their data. */
export function errorReply(context: RpcContext, error: unknown): Reply {
  const { codec } = context.plan;
  const facts = callerErrorFacts(context, error);
  try {
    const encoded = codec?.encodeError?.(facts) ?? jsonFacts(facts);
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

/** Where a request wants its answer; undefined (and a line in the log) when it must not have one there, or wants none. */
export function replyAddress(
  { plan, settings, logger, calls, source }: RpcContext,
  delivery: Delivery,
): string | undefined {
  const { replyTo } = delivery.message.properties;
  const warn = (line: string): void => logger.warn(line);
  if (!replyTo) {
    calls.lines.say(
      warn,
      `${plan.id} replied to ${named(delivery)}, which has no reply-to; the reply was dropped`,
    );
    return undefined;
  }
  if (mayReplyTo(replyTo, delivery.queue, settings.rpc.replyTo, source.server)) return replyTo;
  const line = `${plan.id}: no reply to ${named(delivery)}: its reply-to '${printable(replyTo)}' is not allowed; allow it with rpc.replyTo if it is a queue of the caller`;
  calls.lines.say((text) => logger.error(text), line);
  return undefined;
}

const NO_HEADERS: Headers = Object.freeze({});

/** One reply as a message. */
export function replyMessage(
  context: RpcContext,
  delivery: Delivery,
  replyTo: string,
  reply: Reply,
  headers: Headers = NO_HEADERS,
): OutgoingMessage {
  let all = headers;
  if (reply.isError) all = { ...all, [HEADER.rpcError]: 1 };
  // A common library matches replies by this header, so it is the only one that is returned.
  const requestId = delivery.headers['X-Request-ID'];
  if (typeof requestId === 'string') all = { ...all, 'X-Request-ID': requestId };
  if (context.plan.rpc?.broadcast) all = { ...all, [HEADER.run]: instanceOf(context) };
  return {
    exchange: '',
    routingKey: replyTo,
    content: reply.content,
    // RabbitMQ returns messages to a direct reply-to address although it delivers them.
    mandatory: !isDirectReply(replyTo),
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

/** Sends the one reply of a call; the delivery knows how it goes on. */
export function sendReply(context: RpcContext, delivery: Delivery, reply: Reply): void {
  const replyTo = replyAddress(context, delivery);
  if (replyTo === undefined) return;
  const sent = new SentAnswer(context, replyTo);
  delivery.run.answer = sent;
  beginReply(context, delivery, replyMessage(context, delivery, replyTo, reply), sent);
}

/** Sends a reply, or an item of a streamed one, through the plugins. A caller whose reply a plugin refuses is told so. */
export function beginReply(
  context: RpcContext,
  delivery: Delivery,
  message: OutgoingMessage,
  waiter: ReplyWaiter,
  part?: number,
): void {
  const { plugins, replies, settings } = context;
  if (plugins.none) return replies.begin(message, waiter);
  const { messageId = '' } = message.properties;
  const send = (changed: OutgoingMessage): Promise<PublishResult> =>
    replies.send(changed).then(() => ({ messageId, routed: true }));
  const lost = (error: Error): void => {
    if (!(error instanceof PluginError) || part !== undefined) return waiter.onLost(error);
    const refused = replyMessage(context, delivery, message.routingKey, errorReply(context, error));
    replies.begin(refused, waiter);
  };
  plugins
    .publish({ kind: 'reply', message, delivery, part, timeout: ownTimeout(settings) }, send)
    .then(() => waiter.onArrived(), lost);
}

/** The one reply of a call on its way. What is lost is said in the log. */
class SentAnswer implements ReplyWaiter, Ending {
  private over = false;
  private next: (() => void) | undefined = undefined;
  // Hard private, as in the delivery that has it: whoever prints that must not print our options too.
  readonly #context: RpcContext;

  constructor(
    context: RpcContext,
    private readonly replyTo: string,
  ) {
    this.#context = context;
  }

  after(next: () => void): void {
    if (this.over) next();
    else this.next = next;
  }

  onArrived(): void {
    this.over = true;
    this.next?.();
  }

  onLost(error: Error): void {
    const { plan, logger, counters, calls } = this.#context;
    counters.repliesLost++;
    // A missing permission was told when it was found.
    if (error instanceof AccessRefusedError) return this.onArrived();
    const line = `${plan.id}: the reply to '${printable(this.replyTo)}' was not delivered: ${printable(describeError(error))}`;
    calls.lines.say((text) => logger.warn(text), line);
    this.onArrived();
  }
}
