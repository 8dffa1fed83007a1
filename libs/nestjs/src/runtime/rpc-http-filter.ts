// Failed calls as HTTP answers, for gateways: what the client can mend is 4xx, what is wrong behind the gateway 5xx.

import { type ArgumentsHost, Catch, HttpException } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import {
  DecodeError,
  EncodeError,
  RabbitError,
  RpcConnectionLostError,
  RpcNoServerError,
  RpcNotSentError,
  RpcProtocolError,
  RpcRemoteError,
  RpcTimeoutError,
  TooManyPendingCallsError,
} from '@warren/amqp';

/**
 * The HTTP exception for a failed call; undefined for errors of other kinds.
 *
 * - 400: the request does not match its schema; `issues` lists where.
 * - 4xx: the service threw an `HttpException` with that status.
 * - 422: an error class that both sides list in `errors`, with its name, code and data.
 * - 503: the request was not sent or nobody serves it, so nothing has run. 504: no reply in time. 502: any other failure.
 */
export function rpcHttpException(error: unknown): HttpException | undefined {
  const arrived = rebuiltFrom(error);
  if (arrived) return error instanceof HttpException ? error : declared(error as Error, arrived);
  if (error instanceof RpcRemoteError) return remote(error);
  if (error instanceof EncodeError && error.cause instanceof DecodeError)
    return badRequest(error.cause.issues);
  if (!(error instanceof RabbitError)) return undefined;
  const status = statusOf(error);
  return status === undefined ? undefined : answer(status, SAID[status], {}, error);
}

/**
 * Answers HTTP requests whose calls failed, on Express and Fastify; other errors are answered as Nest does it. Register it
 * with `APP_FILTER`, or on a controller.
 *
 * ```ts
 * { provide: APP_FILTER, useClass: RpcHttpFilter }
 * ```
 */
@Catch()
export class RpcHttpFilter extends BaseExceptionFilter {
  override catch(error: unknown, host: ArgumentsHost): void {
    // A global filter also gets errors of handlers, which are not answered over HTTP.
    if (host.getType() !== 'http') throw error;
    super.catch(rpcHttpException(error) ?? error, host);
  }
}

/** What @warren/amqp marks errors with that it rebuilds: an own error with a remote `cause` is not for clients. */
const REBUILT = Symbol.for('warren:rebuilt');

function rebuiltFrom(error: unknown): RpcRemoteError | undefined {
  const arrived = error instanceof Error ? (error as { readonly [REBUILT]?: unknown })[REBUILT] : undefined;
  return arrived instanceof RpcRemoteError ? arrived : undefined;
}

const SAID: Record<number, string> = {
  502: 'a service failed',
  503: 'a service is not available; nothing has run',
  504: 'a service did not answer in time',
};

function statusOf(error: RabbitError): number | undefined {
  if (error instanceof RpcNotSentError || error instanceof TooManyPendingCallsError) return 503;
  if (error instanceof RpcTimeoutError) return 504;
  if (error instanceof RpcNoServerError) return 503;
  const failed = [RpcConnectionLostError, RpcProtocolError, DecodeError];
  return failed.some((type) => error instanceof type) ? 502 : undefined;
}

function remote(error: RpcRemoteError): HttpException {
  const { remoteCode: code, remoteMessage, data } = error;
  const issues = (data as { issues?: unknown } | null | undefined)?.issues;
  if (code === 'WARREN_DECODE' && Array.isArray(issues)) return badRequest(issues);
  if (typeof code === 'number' && Number.isInteger(code) && code >= 400 && code < 500) {
    const body =
      typeof data === 'object' && data !== null ? data : { statusCode: code, message: remoteMessage };
    return new HttpException(body, code, { cause: error });
  }
  if (code === 'WARREN_NO_HANDLER') return answer(503, SAID[503], {}, error);
  // The id is in the log of the service; other texts are not for clients.
  const reference = /^internal error ([0-9a-f-]{36})$/.exec(remoteMessage)?.[1];
  return answer(502, SAID[502], reference === undefined ? {} : { reference }, error);
}

function declared(error: Error, { remoteName, remoteCode: code, data }: RpcRemoteError): HttpException {
  return answer(422, error.message, { name: remoteName, code, data }, error);
}

function badRequest(issues: readonly unknown[]): HttpException {
  return answer(400, 'the request does not match its schema', { issues });
}

function answer(statusCode: number, message: string, more: object, cause?: Error): HttpException {
  return new HttpException({ statusCode, message, ...more }, statusCode, { cause });
}
