// Messages that wait, what happened to a message, messages as they pass, and messages to send.

import type { Answer, Body, Fields, InstanceRef } from './answers.js';
import type { LetterRow } from './dead-letters.js';

/** `GET api/waiting`. */
export interface WaitingAnswer extends Answer {
  /** Those due within about five minutes, held by instances with a board, the next first, at most 500. Further ones are only in `queues`. */
  readonly messages: readonly WaitingMessage[];
  /** Wait queues, by service and delay. */
  readonly queues: readonly WaitQueue[];
}

/** A retry or a delayed message. */
export interface WaitingMessage {
  /** Names it in the act `waiting.run-now`; null when another process holds it, whose own board can do it. */
  readonly key: string | null;
  readonly id: string | null;
  /** `retry`: after a failed attempt. `delay`: a delayed publish. */
  readonly kind: 'retry' | 'delay';
  /** Where it waits. */
  readonly queue: string;
  /** Where it goes; '' is the default exchange, and `routingKey` then a queue. */
  readonly exchange: string;
  readonly routingKey: string;
  /** When its next attempt begins, or it is delivered. */
  readonly due: number;
  /** Number of the next attempt; null for delayed ones. */
  readonly attempt: number | null;
  readonly bytes: number;
  /** The instance that holds it. */
  readonly instance: InstanceRef;
}

/**
 * `POST api/acts/waiting.run-now`, right `replay`: forwards a message now that this process holds until it is due. 409 `STALE` when it
 * does not hold it any more: it was forwarded, or returned to the broker.
 */
export interface RunNowRequest {
  /** Of the message. */
  readonly queue: string;
  readonly key: string;
}

/** Its answer. */
export interface RunNowAnswer {
  /** False: its target did not take it in time, or the connection was lost. It goes on by itself, as a message that is due. */
  readonly forwarded: boolean;
}

/** A queue in which messages of one delay wait. */
export interface WaitQueue {
  readonly queue: string;
  readonly service: string;
  readonly kind: 'retry' | 'delay';
  /** The delay. */
  readonly step: number;
  /** All messages in it, held ones included; null when unknown. */
  readonly messages: number | null;
}

/** `GET api/journey/:id`. The id is a message id or a correlation id. An empty list when nobody knows it. */
export interface JourneyAnswer extends Answer {
  readonly id: string;
  /** Each behind the one that caused it. At most 500. */
  readonly messages: readonly JourneyMessage[];
  /** Messages that are missing, since there are too many. */
  readonly leftOut: number;
  readonly instances: readonly JourneyInstance[];
  /** Dead letters with this id, among those that were read. */
  readonly letters: readonly (LetterRow & { readonly deadQueue: string })[];
}

/** An instance that was asked. */
export interface JourneyInstance extends InstanceRef {
  /** What its journal knows: `unknown` without one, `unreadable` when its answer was none. */
  readonly journal: 'answered' | 'unknown' | 'unreadable' | 'missing';
}

/** What happened to one message. */
export interface JourneyMessage {
  readonly id: string;
  readonly correlationId: string | null;
  readonly causedBy: string | null;
  /** How many of the messages before it in the list led to it: 0 for a first one. */
  readonly depth: number;
  /** The service that sent it. */
  readonly by: string | null;
  readonly exchange: string;
  readonly routingKey: string;
  /** By time, by the clocks of their instances. */
  readonly steps: readonly JourneyStepRow[];
  /** Steps that are missing after the tenth. */
  readonly leftOut: number;
}

/** The message, its reply, its retry or its dead letter was sent, or a handler got it. */
export interface JourneyStepRow {
  readonly what: 'sent' | 'attempt';
  readonly at: number;
  /** Id of the instance that knows it. */
  readonly instance: string;
  /** Until it was confirmed, answered or handled, in ms; null while it is on its way. */
  readonly took: number | null;
  readonly error: { readonly name: string; readonly message: string } | null;
  /** Dead letters: why. */
  readonly reason: string | null;
  /** With `sent`; else null. */
  readonly sent: {
    readonly kind:
      'publish' | 'send' | 'request' | 'stream' | 'gather' | 'reply' | 'retry' | 'dead-letter' | 'replay';
    readonly exchange: string;
    readonly routingKey: string | null;
    readonly bytes: number;
    /** Whether a queue got it; null when not known yet. */
    readonly routed: boolean | null;
  } | null;
  /** With `attempt`; else null. */
  readonly attempt: {
    readonly handler: string;
    readonly service: string;
    readonly queue: string;
    readonly number: number;
    readonly verdict: 'ack' | 'drop' | 'retry' | 'dead-letter' | 'requeue' | 'open' | null;
    /** Retries: how long it waits for the next attempt, in ms. */
    readonly wait: number | null;
  } | null;
}

/** `GET api/exchanges`: what can be tapped and published to, by name. At most 500. */
export interface ExchangesAnswer extends Answer {
  readonly exchanges: readonly { readonly name: string; readonly type: string | null }[];
}

/**
 * Event `message` of `GET api/tail?exchange=&key=&key=` (server-sent events; default key `#`). Other events: `ready` ({}), when every
 * message from now on is shown; `skipped` ({ count }), messages beyond 100 a second; `failed` (ErrorAnswer), after which it ends.
 */
export interface TailMessage {
  readonly at: number;
  readonly exchange: string;
  readonly routingKey: string;
  readonly id: string | null;
  readonly correlationId: string | null;
  /** The service that sent it. */
  readonly by: string | null;
  readonly contentType: string | null;
  readonly headers: Fields;
  /** At most 4 KiB of it. */
  readonly body: Body;
}

/** `GET api/contracts`: handlers of this process as targets of a test message. At most 1000. */
export interface ContractsAnswer extends Answer {
  readonly contracts: readonly ContractRow[];
}

/** What a handler takes. */
export interface ContractRow {
  readonly handler: string;
  /** `event`: publish to `exchange` with a key that matches. `queue`: publish to exchange '' with the key `queue`. `rpc`: call `key`. */
  readonly kind: 'event' | 'queue' | 'rpc';
  readonly exchange: string;
  /** Routing key, pattern with `*` and `#`, or queue. */
  readonly key: string;
  readonly queue: string;
  /** JSON Schema of the payload, where the schema library can tell it; else null. */
  readonly schema: unknown;
}

/** `POST api/acts/publish`, right `edit`. */
export interface PublishRequest {
  /** '' is the default exchange, which sends to the queue `routingKey`. */
  readonly exchange: string;
  readonly routingKey: string;
  /** Any JSON. */
  readonly payload: unknown;
  readonly headers?: Readonly<Record<string, string | number | boolean>>;
}

/** Its answer, when the broker has confirmed it. */
export interface PublishAnswer {
  readonly messageId: string;
  /** Whether a queue got it. */
  readonly routed: boolean;
}

/** `POST api/acts/call`, right `edit`. Errors of the call are `ErrorAnswer`s with their codes. */
export interface CallRequest {
  readonly pattern: string;
  readonly payload: unknown;
  /** How long to wait, in ms, at most 60 000. Default 10 000. */
  readonly timeout?: number;
}

/** Its answer. */
export interface CallAnswer {
  readonly took: number;
  readonly reply: Body;
}
