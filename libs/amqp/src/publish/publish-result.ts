// The error of a publish as one word, for events and statistics.

import {
  PublishNackedError,
  PublishOutcomeUnknownError,
  PublishTimeoutError,
  UnroutableError,
} from '../errors/publish-errors.js';
import type { PublishOutcome } from '../events/events.js';

/** What a failed publish counts as. */
export function outcomeOf(error: unknown): PublishOutcome {
  if (error instanceof UnroutableError) return 'returned';
  if (error instanceof PublishNackedError) return 'nacked';
  if (error instanceof PublishOutcomeUnknownError) return 'unknown';
  return error instanceof PublishTimeoutError ? 'timeout' : 'refused';
}
