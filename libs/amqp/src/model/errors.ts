// Every error a user can meet. Each is a fact the caller can branch on (class and code), says in its
// message what happened, and in its hint what to do about it. docs/errors.md lists them all.

/** Parent of all errors of this library. `code` is stable, `hint` says what to do. */
export class RabbitError extends Error {
  /** Stable, upper case, for `switch`: see docs/errors.md. */
  readonly code: string;
  /** What to do about it, one sentence. */
  readonly hint: string;

  constructor(code: string, message: string, hint: string, cause?: unknown) {
    super(hint ? `${message} (${hint})` : message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.hint = hint;
    this.name = new.target.name;
  }
}

/** An option, a decorator or their combination makes no sense. Thrown before a socket opens. */
export class ConfigError extends RabbitError {
  constructor(message: string, hint: string, cause?: unknown) {
    super('WARREN_CONFIG', message, hint, cause);
  }
}

/** A payload cannot be turned into bytes, or a property of the message cannot go over the wire. Nothing was sent. */
export class EncodeError extends RabbitError {
  constructor(message: string, hint: string, cause?: unknown) {
    super('WARREN_ENCODE', message, hint, cause);
  }
}

/** The body of a delivery or reply cannot be read, or does not fit its schema. */
export class DecodeError extends RabbitError {
  /** What the schema found, when a schema refused the payload. */
  readonly issues: readonly DecodeIssue[];

  constructor(message: string, hint: string, issues: readonly DecodeIssue[] = [], cause?: unknown) {
    super('WARREN_DECODE', message, hint, cause);
    this.issues = issues;
  }
}

/** One finding of a schema: where, and what is wrong there. */
export interface DecodeIssue {
  readonly path: string;
  readonly message: string;
}

/** The broker took the message but no queue wanted it (mandatory return). */
export class UnroutableError extends RabbitError {
  constructor(
    readonly exchange: string,
    readonly routingKey: string,
    readonly messageId: string,
  ) {
    super(
      'WARREN_UNROUTABLE',
      exchange === ''
        ? `no queue '${routingKey}': message ${messageId} came back`
        : `no queue of exchange '${exchange}' is bound for '${routingKey}': message ${messageId} came back`,
      exchange === ''
        ? 'start its consumer first or check the name'
        : 'bind a queue, or publish without mandatory',
    );
  }
}

/** The broker refused the message (basic.nack): for example a full queue with `overflow: reject-publish`. */
export class PublishNackedError extends RabbitError {
  constructor(
    readonly exchange: string,
    readonly routingKey: string,
    readonly messageId: string,
  ) {
    super(
      'WARREN_PUBLISH_NACKED',
      `the broker refused message ${messageId} for ${destination(exchange, routingKey)}`,
      'look for a full queue (max-length with reject-publish) or a queue without its leader',
    );
  }
}

/** The message did not leave this process before its deadline: broker away or blocked. It was not sent. */
export class PublishTimeoutError extends RabbitError {
  constructor(exchange: string, routingKey: string, waitedMs: number, reason: string) {
    super(
      'WARREN_PUBLISH_TIMEOUT',
      `message for ${destination(exchange, routingKey)} was not sent within ${waitedMs} ms: ${reason}`,
      'it never left this process, so sending it again makes no duplicate',
    );
  }
}

/** The message was sent, but connection or deadline went by before its confirm: the broker may have it or not. */
export class PublishOutcomeUnknownError extends RabbitError {
  constructor(
    exchange: string,
    routingKey: string,
    readonly messageId: string,
    reason: string,
    cause?: unknown,
  ) {
    super(
      'WARREN_PUBLISH_UNKNOWN',
      `message ${messageId} for ${destination(exchange, routingKey)} was sent but not confirmed: ${reason}`,
      'send it again with the same messageId if the consumer can tell duplicates',
      cause,
    );
  }
}

/** Too many messages wait for the broker already. This one was not taken. */
export class WaitingRoomFullError extends RabbitError {
  constructor(limit: string) {
    super(
      'WARREN_WAITING_ROOM_FULL',
      `the waiting room for publishes is full (${limit})`,
      'the broker is away or slower than this process publishes; slow down, or raise publish.waitingRoom',
    );
  }
}

/** There is no connection (any more) and what was asked needs one; also: the broker object was closed. */
export class ConnectionLostError extends RabbitError {
  constructor(message: string, cause?: unknown) {
    super(
      'WARREN_CONNECTION_LOST',
      message,
      'it comes back by itself unless the application is shutting down',
      cause,
    );
  }
}

/** What kept a connection from being opened. */
export type RefusalReason = 'host' | 'credentials' | 'vhost' | 'tls' | 'timeout' | 'protocol';

/** A connection could not be opened; `reason` says whether host, credentials, vhost or TLS is to blame. */
export class ConnectionRefusedError extends RabbitError {
  constructor(
    readonly reason: RefusalReason,
    message: string,
    hint: string,
    cause?: unknown,
  ) {
    super('WARREN_CONNECTION_REFUSED', message, hint, cause);
  }
}

/** Something on the broker exists already with other properties, and AMQP cannot change it in place. */
export class TopologyMismatchError extends RabbitError {
  constructor(readonly facts: TopologyMismatch) {
    super(
      'WARREN_TOPOLOGY_MISMATCH',
      `${facts.what} '${facts.name}' exists with ${facts.argument} = ${facts.current}, but ${facts.askedBy} wants ${facts.wanted}`,
      `change ${facts.askedBy} to fit, delete the ${facts.what} by hand when it is empty, or use declare: 'check' to take it as it is`,
    );
  }
}

/** The two sides of a mismatch. Values as the broker wrote them. */
export interface TopologyMismatch {
  readonly what: 'queue' | 'exchange';
  readonly name: string;
  readonly argument: string;
  readonly current: string;
  readonly wanted: string;
  /** The handler or module that asked for it. */
  readonly askedBy: string;
}

/** A queue or exchange that should only be looked at (`declare: 'check'`, or an exchange given by name) is not there. */
export class TopologyMissingError extends RabbitError {
  constructor(
    readonly what: 'queue' | 'exchange',
    readonly missing: string,
    askedBy: string,
  ) {
    super(
      'WARREN_TOPOLOGY_MISSING',
      `there is no ${what} '${missing}', which ${askedBy} needs`,
      what === 'exchange'
        ? 'give it as { name, type } to have it declared, or start what declares it'
        : 'leave out declare to have it declared, or start what declares it',
    );
  }
}

/** The user may not do this on the broker (403). The message names the resource. */
export class AccessRefusedError extends RabbitError {
  constructor(what: string, askedBy: string, cause?: unknown) {
    super(
      'WARREN_ACCESS_REFUSED',
      `the broker refuses ${askedBy} access to ${what}`,
      'grant the user configure, write and read permissions on it (rabbitmqctl set_permissions)',
      cause,
    );
  }
}

/** The queue belongs exclusively to another connection (405). Tried again, since that connection may be an old one of ours. */
export class QueueLockedError extends RabbitError {
  constructor(
    readonly queue: string,
    cause?: unknown,
  ) {
    super(
      'WARREN_QUEUE_LOCKED',
      `queue '${queue}' is exclusive to another connection`,
      'it is tried again',
      cause,
    );
  }
}

/** A handler ran longer than its `timeout`. Counts as a throw. */
export class HandlerTimeoutError extends RabbitError {
  constructor(handler: string, ms: number) {
    super(
      'WARREN_HANDLER_TIMEOUT',
      `${handler} ran longer than its timeout of ${ms} ms`,
      'its signal was aborted; raise the timeout or pass the signal on to what it waits for',
    );
  }
}

/** No answer within the time the caller gave. The request may still be worked on. */
export class RpcTimeoutError extends RabbitError {
  constructor(
    readonly exchange: string,
    readonly routingKey: string,
    readonly waitedMs: number,
    readonly correlationId: string,
  ) {
    super(
      'WARREN_RPC_TIMEOUT',
      `no answer from ${destination(exchange, routingKey)} within ${waitedMs} ms (correlation id ${correlationId})`,
      'raise timeout, or look whether its handlers are busy',
    );
  }
}

/** The handler at the other side failed. `remoteName` is the class of what it threw; its stack stays there. */
export class RpcRemoteError extends RabbitError {
  constructor(
    readonly remoteName: string,
    readonly remoteMessage: string,
    /** The remote error's own code, if it had one. */
    readonly remoteCode: string | number | undefined,
    /** What the remote error carried for its caller, if anything. */
    readonly data: unknown,
  ) {
    super('WARREN_RPC_REMOTE', `${remoteName}: ${remoteMessage}`, 'thrown by the handler that was called');
  }
}

/** Nobody listens for this request: it came back at once. */
export class RpcNoServerError extends RabbitError {
  constructor(
    readonly exchange: string,
    readonly routingKey: string,
  ) {
    super(
      'WARREN_RPC_NO_SERVER',
      `no handler listens for ${destination(exchange, routingKey)}`,
      'start the service with that @RpcHandler, or check the name',
    );
  }
}

/** The connection went away while the call was under way. The handler may have run. */
export class RpcConnectionLostError extends RabbitError {
  constructor(exchange: string, routingKey: string, cause?: unknown) {
    super(
      'WARREN_RPC_CONNECTION_LOST',
      `the connection was lost while ${destination(exchange, routingKey)} was being called`,
      'call again if the handler may run twice',
      cause,
    );
  }
}

/** The caller's own signal ended the call. */
export class RpcCancelledError extends RabbitError {
  constructor(exchange: string, routingKey: string, cause?: unknown) {
    super(
      'WARREN_RPC_CANCELLED',
      `the call to ${destination(exchange, routingKey)} was cancelled`,
      '',
      cause,
    );
  }
}

function destination(exchange: string, routingKey: string): string {
  return exchange === '' ? `queue '${routingKey}'` : `'${routingKey}' on exchange '${exchange}'`;
}
