// What a remote caller may know about an error. RpcException and HttpException were made to be shown;
// anything else is nobody's business, and the broker masks it.

import { types } from 'node:util';
import { HttpException } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { DecodeError, RejectSignal, type RemoteErrorFacts } from '@warren/amqp';

/** The facts of an error that was meant for the caller; undefined for others. */
export function remoteError(error: unknown): RemoteErrorFacts | undefined {
  // Guards and pipes refuse with an exception that was meant for the caller; ours is only the wrapping.
  if ((error instanceof RejectSignal || error instanceof DecodeError) && error.cause !== undefined) {
    return remoteError(error.cause);
  }
  if (error instanceof HttpException) {
    return {
      name: error.name,
      message: messageOf(error.getResponse(), error.message),
      code: error.getStatus(),
      data: error.getResponse(),
    };
  }
  // A subclass is named after itself: its class says more than the base.
  return error instanceof RpcException ? fromPayload(error.getError(), error.constructor.name) : undefined;
}

/**
 * What a filter threw. Filters of Nest microservices throw the bare payload of an exception, and it was meant for the
 * caller; so it becomes the exception that it came from.
 */
export function filterError(thrown: unknown): unknown {
  const isPayload = typeof thrown === 'string' || (typeof thrown === 'object' && thrown !== null);
  // Node's own errors are of another realm where jest runs.
  const isError = thrown instanceof Error || types.isNativeError(thrown);
  return isPayload && !isError ? new RpcException(thrown) : thrown;
}

function fromPayload(payload: unknown, name: string): RemoteErrorFacts {
  if (typeof payload !== 'object' || payload === null) {
    const text = String(payload);
    return {
      name,
      message: (payload ?? undefined) === undefined ? `the handler threw ${name} without a message` : text,
    };
  }
  const { name: own, code, status } = payload as Record<string, unknown>;
  const number = [code, status].find((one) => typeof one === 'string' || typeof one === 'number');
  return {
    name: typeof own === 'string' ? own : name,
    message: messageOf(payload, `the handler threw ${name} without a message: see its data`),
    ...(number === undefined ? {} : { code: number }),
    data: payload,
  };
}

function messageOf(payload: unknown, fallback: string): string {
  if (typeof payload === 'string') return payload;
  const { message } = payload as { message?: unknown };
  if (Array.isArray(message)) return message.join('; ');
  return typeof message === 'string' ? message : fallback;
}
