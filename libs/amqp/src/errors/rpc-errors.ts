// The exits of a call that are not its value. A call always takes one of them or the value.

import { destination, RabbitError } from './errors.js';

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
      'check whether its handlers are running and keep up, or raise timeout',
    );
  }
}

/** A call whose time was over before its request could leave: nothing has run, and it can be made again without harm. */
export class RpcNotSentError extends RpcTimeoutError {
  override readonly code = 'WARREN_RPC_NOT_SENT';

  constructor(exchange: string, routingKey: string, waitedMs: number, correlationId: string, reason: string) {
    super(exchange, routingKey, waitedMs, correlationId);
    const what = `the call to ${destination(exchange, routingKey)} was not sent within ${waitedMs} ms: ${reason}`;
    this.message = `${what} (nothing has run; make it again when the broker is back)`;
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

/** The connection, or the channel for calls, went away while the call was under way. The handler may have run. */
export class RpcConnectionLostError extends RabbitError {
  constructor(exchange: string, routingKey: string, cause?: unknown) {
    const why = cause instanceof Error ? `: ${cause.message}` : '';
    super(
      'WARREN_RPC_CONNECTION_LOST',
      `the connection for calls was lost while ${destination(exchange, routingKey)} was being called${why}`,
      'it reconnects by itself; call again if the handler may run twice',
      cause,
    );
  }
}

/** The other side of a stream broke the rules that both agreed on. */
export class RpcProtocolError extends RabbitError {
  constructor(message: string) {
    super('WARREN_RPC_PROTOCOL', message, 'does the other side run a compatible version of this library?');
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

/** Why a handler's `signal` aborted: nobody waits for the answer any more. */
export class CallerLeftError extends RabbitError {
  constructor() {
    super('WARREN_CALLER_LEFT', 'the caller no longer waits for the answer', 'stop the work');
  }
}

/** Why a handler's `signal` aborted: the application ends, and has waited as long as it may. */
export class ShuttingDownError extends RabbitError {
  constructor() {
    super('WARREN_SHUTTING_DOWN', 'the service that handles this is shutting down', 'make the call again');
  }
}

/** Too many calls of this process are pending already. This one was not made. */
export class TooManyPendingCallsError extends RabbitError {
  /** It never left, so making it again makes no duplicate. */
  readonly sent = false;

  /** `limit`: what is reached, in words. */
  constructor(limit: string) {
    super(
      'WARREN_TOO_MANY_PENDING_CALLS',
      `too many calls are pending (${limit})`,
      'their servers or the broker are slower than this process calls; slow down, or raise rpc.maxPending',
    );
  }
}
