// Failures of a publish. Each says whether the message was sent, because that decides whether sending it again can
// create a duplicate.

import { destination, RabbitError } from './errors.js';

/** The broker received the message but could not route it to any queue (mandatory return). */
export class UnroutableError extends RabbitError {
  constructor(
    readonly exchange: string,
    readonly routingKey: string,
    readonly messageId: string,
  ) {
    super(
      'WARREN_UNROUTABLE',
      exchange === ''
        ? `queue '${routingKey}' does not exist: ${messageOf(messageId)} was returned`
        : `no queue is bound to exchange '${exchange}' for '${routingKey}': ${messageOf(messageId)} was returned`,
      exchange === ''
        ? 'check the name; the process that consumes the queue declares it, and its log says what the broker refused'
        : 'check the routing key, bind a queue, or publish without mandatory',
    );
  }
}

/**
 * The broker refused the message (basic.nack) and does not have it: for example a full queue with `overflow:
 * reject-publish`, or a queue without a leader. It was sent again for as long as `publish.retryNacked` says.
 */
export class PublishNackedError extends RabbitError {
  constructor(
    readonly exchange: string,
    readonly routingKey: string,
    readonly messageId: string,
    /** How often the broker nacked it. */
    readonly nacks = 1,
    /** From the first nack to the last, in ms. */
    readonly waitedMs = 0,
  ) {
    super(
      'WARREN_PUBLISH_NACKED',
      `the broker nacked ${messageOf(messageId)} for ${destination(exchange, routingKey)}${nacks > 1 ? ` ${nacks} times in ${waitedMs} ms` : ''}`,
      'check for a full queue (max-length with reject-publish), or a quorum queue without a leader',
    );
  }
}

/** The broker closed the channel because of this message, for example because it is larger than the broker allows. */
export class PublishRefusedError extends RabbitError {
  constructor(
    /** The broker's reason. */
    readonly reason: string,
  ) {
    super(
      'WARREN_PUBLISH_REFUSED',
      `the broker closed the channel because of this message: ${reason}`,
      'fix the message; sent again unchanged, it is refused again',
    );
  }
}

/** The message was not sent before its timeout, because the broker is unreachable or blocked. */
export class PublishTimeoutError extends RabbitError {
  /** It was never sent, so sending it again cannot create a duplicate. */
  readonly sent = false;

  constructor(exchange: string, routingKey: string, waitedMs: number, reason: string, messageId?: string) {
    super(
      'WARREN_PUBLISH_TIMEOUT',
      `${messageId ? `message ${messageId}` : 'message'} for ${destination(exchange, routingKey)} was not sent within ${waitedMs} ms: ${reason}`,
      'it never left this process, so sending it again cannot create a duplicate',
    );
  }
}

/** The message was sent, but the connection was lost or the timeout expired before the confirm: it may have arrived. */
export class PublishOutcomeUnknownError extends RabbitError {
  /** It was sent, so sending it again may make a duplicate. */
  readonly sent = true;

  constructor(
    exchange: string,
    routingKey: string,
    readonly messageId: string,
    reason: string,
    cause?: unknown,
  ) {
    super(
      'WARREN_PUBLISH_UNKNOWN',
      `${messageOf(messageId)} for ${destination(exchange, routingKey)} was sent but not confirmed: ${reason}`,
      'send it again with the same messageId if the consumer detects duplicates',
      cause,
    );
  }
}

/** The publish buffer is full: too many messages already wait for the broker. This one was not accepted. */
export class PublishBufferFullError extends RabbitError {
  /** It was never sent, so sending it again cannot create a duplicate. */
  readonly sent = false;

  constructor(limit: string) {
    super(
      'WARREN_PUBLISH_BUFFER_FULL',
      `the publish buffer is full (${limit} waiting)`,
      'the broker is unreachable, or this process publishes faster than it accepts; slow down, or raise publish.buffer',
    );
  }
}

/** Messages of other programs may have no id. */
function messageOf(messageId: string): string {
  return messageId === '' ? 'a message without id' : `message ${messageId}`;
}
