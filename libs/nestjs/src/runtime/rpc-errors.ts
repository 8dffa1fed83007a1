// What a remote caller may know about an error. RpcException and HttpException were made to be shown;
// anything else is nobody's business, and the broker masks it.

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
  if (error instanceof RpcException) return fromPayload(error.getError(), error.constructor.name);
  // Filters of Nest microservices throw the bare payload of an exception.
  const isError = error instanceof Error;
  return !isError && typeof error === 'object' && error !== null
    ? fromPayload(error, 'RpcException')
    : undefined;
}

function fromPayload(payload: unknown, fallback: string): RemoteErrorFacts {
  if (typeof payload !== 'object' || payload === null) return { name: fallback, message: String(payload) };
  const { name, code, status } = payload as Record<string, unknown>;
  const number = [code, status].find((one) => typeof one === 'string' || typeof one === 'number');
  return {
    name: typeof name === 'string' ? name : fallback,
    message: messageOf(payload, fallback),
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
