// Every line that the library logs has a name, its `event`: stable, made for filters and alerts. docs/logging.md says
// what each means and what to do; a test holds the page and this table together, and each line to the level given here.

/** The level of a line. Nest's loggers have the same. */
export type LogLevel = 'log' | 'warn' | 'error' | 'debug';

/** The lines by name, each with its level. */
export const LOG_EVENTS = {
  'attempt-failed': 'warn',
  blocked: 'warn',
  'breaker-closed': 'log',
  'breaker-open': 'warn',
  'cancellations-not-received': 'warn',
  'cancellations-not-sent': 'warn',
  'connect-failed': 'warn',
  connected: 'log',
  'consumer-failed': 'warn',
  'consumer-lost': 'warn',
  'consumer-not-ready': 'warn',
  'consumer-paused': 'warn',
  'consumer-refreshed': 'debug',
  'consumer-restarted': 'warn',
  'consumer-restored': 'log',
  'consumer-timeout': 'warn',
  'control-failed': 'warn',
  'control-refused': 'warn',
  'declared-error': 'log',
  'development-broker': 'log',
  'development-unused': 'debug',
  disconnected: 'warn',
  'failed-after-settling': 'warn',
  'forward-failed': 'error',
  'handler-changed': 'log',
  'handler-hangs': 'error',
  'handler-late': 'warn',
  'handler-limits': 'warn',
  'handler-paused': 'log',
  'handler-planned': 'log',
  'handler-removed': 'log',
  'handler-resumed': 'log',
  'listener-failed': 'error',
  'message-failed': 'error',
  'not-connected': 'warn',
  'paused-everywhere': 'warn',
  'plugin-bypassed': 'error',
  'plugin-ended-call': 'error',
  'plugin-failed': 'warn',
  'publish-channel-closed': 'error',
  'publish-refused': 'error',
  'queue-differs': 'warn',
  'replies-not-ready': 'warn',
  'reply-lost': 'warn',
  'reply-not-allowed': 'error',
  'reply-not-asked': 'warn',
  'reply-not-encoded': 'error',
  'reply-refused': 'error',
  'reply-store-failed': 'error',
  'retries-late': 'warn',
  'settle-failed': 'error',
  'settled-twice': 'warn',
  'shutdown-abandoned': 'warn',
  'shutdown-waiting': 'log',
  'start-failed': 'error',
  suspect: 'warn',
  'too-many-headers': 'error',
  'topology-refused': 'error',
  'topology-restored': 'warn',
  unblocked: 'log',
  unconfirmed: 'warn',
  unmatched: 'error',
  untraced: 'log',
  'wait-queue-failed': 'warn',
  'wait-queue-refused': 'warn',
} as const satisfies Record<string, LogLevel>;

/** The name of a line. */
export type LogEvent = keyof typeof LOG_EVENTS;

/** What a line says, as fields: for loggers that write JSON. Fields that do not apply are absent. */
export interface LogFields {
  /** Which line it is: see docs/logging.md. */
  readonly event: LogEvent;
  /** `Orders.place`. */
  readonly handler?: string | undefined;
  /** The queue that the line is about. */
  readonly queue?: string | undefined;
  /** The message, by its id; absent when it has none. */
  readonly messageId?: string | undefined;
  /** The chain of messages that it belongs to. */
  readonly correlationId?: string | undefined;
  /** The exchange that the message was published to. */
  readonly exchange?: string | undefined;
  /** The key with which it was published. */
  readonly routingKey?: string | undefined;
  /** The attempt that failed, from 1. */
  readonly attempt?: number | undefined;
  /** How many attempts the retry policy allows. */
  readonly attempts?: number | undefined;
  /** The class of the error, as in dead letters and at remote callers. */
  readonly error?: string | undefined;
  /** Its message. */
  readonly errorMessage?: string | undefined;
  /** Its code, if it has one: `WARREN_DECODE`. */
  readonly errorCode?: string | number | undefined;
  /** Its stack, and those of its causes; absent where the line has none. */
  readonly stack?: string | undefined;
  /** What happens to the message: `retry`, `dead-letter`, `reply` (the caller gets the error), `drop`, `redeliver`. */
  readonly next?: 'retry' | 'dead-letter' | 'reply' | 'drop' | 'redeliver' | undefined;
  /** When the next attempt is due, in milliseconds from now. */
  readonly retryIn?: number | undefined;
  /** Why it is dead-lettered or dropped: the `x-warren-reason` of a dead letter. */
  readonly reason?: string | undefined;
  /** The dead-letter queue that it goes to. */
  readonly deadLetterQueue?: string | undefined;
  /** The id that the caller got in place of an error that is not for it. */
  readonly errorId?: string | undefined;
  /** `shop/consume`. */
  readonly connection?: string | undefined;
  /** The broker, without credentials. */
  readonly endpoint?: string | undefined;
  /** A time that the line tells, in milliseconds. */
  readonly ms?: number | undefined;
  /** The plugin that failed. */
  readonly plugin?: string | undefined;
}
