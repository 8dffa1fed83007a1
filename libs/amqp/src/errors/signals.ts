// Errors that a handler throws (or a filter returns) to choose the outcome instead of leaving it to the retry policy.

import { milliseconds, type Duration } from '../options/duration.js';

/** Base class of the three signals: an outcome that the handler chose explicitly. */
export abstract class OutcomeSignal extends Error {}

/** See {@link Retry}. */
export class RetrySignal extends OutcomeSignal {
  override readonly name = 'Retry';
  constructor(
    readonly after: Duration | undefined,
    override readonly cause?: unknown,
  ) {
    super('the handler asked for another attempt');
    // Checked here, so that an invalid duration fails in the handler, and not later.
    if (after !== undefined) milliseconds(after, 'Retry({ after })');
  }
}

/** See {@link Reject}. */
export class RejectSignal extends OutcomeSignal {
  override readonly name = 'Reject';
  constructor(
    reason: string,
    override readonly cause?: unknown,
  ) {
    super(reason);
  }
}

/** See {@link Drop}. */
export class DropSignal extends OutcomeSignal {
  override readonly name = 'Drop';
  constructor() {
    super('the handler dropped the message');
  }
}

/**
 * `throw Retry({ after: '5m' })`: retry this message later. Without `after` the policy's next delay applies.
 * Counts as an attempt; after the policy's last attempt the message is dead-lettered.
 *
 * @throws ConfigError when `after` is not a valid duration
 */
export function Retry(options: { readonly after?: Duration; readonly cause?: unknown } = {}): RetrySignal {
  return new RetrySignal(options.after, options.cause);
}

/** `throw Reject('no such customer')`: dead-letter this message now, with that reason. */
export function Reject(reason: string, cause?: unknown): RejectSignal {
  return new RejectSignal(reason, cause);
}

/** `throw Drop()`: ack the message and discard it. */
export function Drop(): DropSignal {
  return new DropSignal();
}
