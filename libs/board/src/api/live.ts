// What is live: one stream of server-sent events. `data` of each is JSON; the name of the event says which of these it is.

import type { AuditRow, Job } from './dead-letters.js';
import type { Verdicts } from './handlers.js';

/** Events of `GET api/live`, by their names. At most 50 readers; a further one gets 429. */
export interface LiveEvents {
  /** First, and after each new connection: load what is shown again. */
  readonly hello: { readonly at: number; readonly retry: number };
  /** Every two seconds. */
  readonly tick: Tick;
  /** Something happened, at most 20 a second. */
  readonly event: LiveEvent;
  readonly job: Job;
  readonly audit: AuditRow;
  /** Events that were left out, since there were too many. */
  readonly skipped: { readonly count: number };
}

/** What changes all the time, of this process. */
export interface Tick {
  readonly at: number;
  readonly handlers: readonly {
    readonly id: string;
    readonly perSecond: number;
    readonly failedPerSecond: number;
    readonly inFlight: number;
    readonly ready: boolean;
    readonly verdicts: Verdicts;
  }[];
  readonly connections: readonly {
    readonly name: string;
    readonly state: 'idle' | 'connecting' | 'open' | 'waiting' | 'closed';
    readonly blocked: boolean;
  }[];
  readonly publishing: { readonly unconfirmed: number; readonly waiting: number };
  readonly waiting: { readonly messages: number; readonly nextDue: number | null };
  readonly pendingCalls: number;
  /** Dead letters that this process has sent since it started, by queue. */
  readonly deadLettered: Readonly<Record<string, number>>;
  readonly closing: boolean;
}

/** Something that happened in this process. */
export interface LiveEvent {
  readonly at: number;
  /** Kind of the event, as in docs/events.md: `disconnected`, `consumer-lost`; `dead-lettered` for a message that failed for good. */
  readonly kind: string;
  readonly level: 'info' | 'warning' | 'error';
  /** A sentence for people. Its words may come from others. */
  readonly text: string;
  /** What it is about, where it has these. */
  readonly queue: string | null;
  readonly handler: string | null;
  readonly messageId: string | null;
  /** The view that shows more. */
  readonly view: 'services' | 'handlers' | 'dead-letters' | 'waiting' | 'calls' | 'topology' | null;
}
