// How a publish can end badly. Each says whether the message left this process, because that decides
// whether sending it again can make a duplicate.

import { destination, RabbitError } from './errors.js';

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
