// Failures of a call. A call always ends with one of them or with a value.

import { destination, RabbitError } from './errors.js';

/** No reply within the caller's timeout. The handler may still be running. */
export class RpcTimeoutError extends RabbitError {
  constructor(
    readonly exchange: string,
    readonly routingKey: string,
    readonly waitedMs: number,
    readonly correlationId: string,
  ) {
    super(
      'WARREN_RPC_TIMEOUT',
      `no reply from ${destination(exchange, routingKey)} within ${waitedMs} ms (correlation id ${correlationId})`,
      'check whether its handlers are running and keep up, or raise timeout',
    );
  }
}

/** What a caller may do whose request never left. */
export const REPEAT = 'nothing was sent, so it is safe to call again';

/** A call that timed out before its request could be sent: nothing has run, and it is safe to call again. */
export class RpcNotSentError extends RpcTimeoutError {
  override readonly code = 'WARREN_RPC_NOT_SENT';
  /** It was never sent, so calling again cannot create a duplicate. */
  readonly sent = false;

  constructor(exchange: string, routingKey: string, waitedMs: number, correlationId: string, reason: string) {
    super(exchange, routingKey, waitedMs, correlationId);
    const what = `the call to ${destination(exchange, routingKey)} was not sent within ${waitedMs} ms: ${reason}`;
    this.message = `${what} (${REPEAT} when the broker is available)`;
  }
}

/** The remote handler failed. `remoteName` is the class of its error; the stack is not sent. */
export class RpcRemoteError extends RabbitError {
  constructor(
    readonly remoteName: string,
    readonly remoteMessage: string,
    /** The remote error's own code, if it had one. */
    readonly remoteCode: string | number | undefined,
    /** Data of the remote error, if any. */
    readonly data: unknown,
  ) {
    super('WARREN_RPC_REMOTE', `${remoteName}: ${remoteMessage}`, remoteHint(remoteCode, data));
  }
}

const UNCALLED = new Set<unknown>(['WARREN_MESSAGE_ID_REUSED', 'WARREN_NO_HANDLER', 'WARREN_POISON']);

/** Refused requests never reached the handler, so it did not throw the error. */
function remoteHint(code: string | number | undefined, data: unknown): string {
  const refused =
    code === 'WARREN_DECODE' && Array.isArray((data as { issues?: unknown } | null | undefined)?.issues);
  if (refused) return 'the service refused the request; its handler did not run';
  return UNCALLED.has(code) ? 'its handler did not run' : 'thrown by the remote handler';
}

/** No queue accepts this request; the broker returned it at once. */
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

/** The connection, or the channel for calls, was lost while the call was pending. The handler may have run. */
export class RpcConnectionLostError extends RabbitError {
  constructor(exchange: string, routingKey: string, cause?: unknown) {
    const why = cause instanceof Error ? `: ${cause.message}` : '';
    super(
      'WARREN_RPC_CONNECTION_LOST',
      `the connection was lost while calling ${destination(exchange, routingKey)}${why}`,
      'Warren reconnects automatically; call again if the handler may run twice',
      cause,
    );
  }
}

/** The other side of a stream violated the protocol. */
export class RpcProtocolError extends RabbitError {
  constructor(message: string) {
    super(
      'WARREN_RPC_PROTOCOL',
      message,
      'check that the other side runs a compatible version of this library',
    );
  }
}

/** The caller's own signal cancelled the call. */
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

/** The reason of a handler's `signal`: its caller no longer waits for the reply. */
export class CallerLeftError extends RabbitError {
  constructor() {
    super('WARREN_CALLER_LEFT', 'the caller no longer waits for the reply', 'stop the work');
  }
}

/** The reason of a handler's `signal`: the application shuts down and has waited for `shutdown`. */
export class ShuttingDownError extends RabbitError {
  constructor() {
    super('WARREN_SHUTTING_DOWN', 'the service that handles this is shutting down', 'call again');
  }
}

/** Too many calls of this process are pending. This one was not sent. */
export class TooManyPendingCallsError extends RabbitError {
  /** It was never sent, so calling again cannot create a duplicate. */
  readonly sent = false;

  /** `limit`: the limit that was reached, in words. */
  constructor(limit: string) {
    super(
      'WARREN_TOO_MANY_PENDING_CALLS',
      `too many calls are pending (${limit})`,
      `${REPEAT}; this process calls faster than the servers or the broker reply: slow down, or raise rpc.maxPending`,
    );
  }
}
