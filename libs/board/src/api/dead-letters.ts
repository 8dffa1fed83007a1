// Dead letters. Reading a queue holds its messages for a moment, and counts as a delivery for quorum queues, so nothing is
// read on a timer: the server reads when asked, keeps what it has read for some minutes (a reading), and says of when it is.

import type { Answer, Body, Fields, InstanceRef, Issue, Page } from './answers.js';

/** `GET api/dead-letters`. Queues without reading them, and the groups of what was read before. */
export interface DeadQueuesAnswer extends Answer {
  /** Those with most messages first. At most 500. */
  readonly queues: readonly DeadQueueRow[];
}

/** A dead-letter queue. */
export interface DeadQueueRow {
  /** `orders.dead`. */
  readonly queue: string;
  /** `orders`: where replays go; null when its name does not say. */
  readonly of: string | null;
  /** Handlers whose failures end in it, as far as known. */
  readonly handlers: readonly string[];
  /** Messages that wait in it now, some seconds ago as the management API counts; null when unknown. */
  readonly messages: number | null;
  /** Why `messages` is unknown: it does not exist, may not be read, is read or replayed now, ...; else null. */
  readonly error: string | null;
  /** What was read last; null when nothing was. */
  readonly reading: ReadingFacts | null;
  readonly groups: readonly DeadGroup[];
}

/** What is known of a reading. */
export interface ReadingFacts {
  readonly at: number;
  /** Messages in the queue then. */
  readonly messages: number;
  /** How many of them were read, from the head. */
  readonly read: number;
  /** How often the message that was read most often was read and returned: quorum queues with a delivery limit drop it at some time. */
  readonly looks: number;
}

/** Dead letters of the same kind: class of error, handler, reason and shape of the payload. */
export interface DeadGroup {
  /** Of this queue, stable between readings. */
  readonly key: string;
  readonly error: string | null;
  readonly handler: string | null;
  readonly reason: string | null;
  /** The broker dead-lettered them: no handler failed. */
  readonly byBroker: boolean;
  /**
   * Names and types of the payload's top level: `{customer: object, id: number}`, `text`, `bytes`. At most 200 characters. With the
   * option `redact`, of what that leaves.
   */
  readonly shape: string;
  /** Of those that were read. */
  readonly count: number;
  readonly oldest: number | null;
  readonly newest: number | null;
  /** Message of one of the errors. */
  readonly example: string | null;
}

/**
 * `GET api/dead-letters/:queue`. Reads the queue when there is no reading, or with `fresh`. 404 when there is no such queue, 429 when
 * it cannot be read now, since a job runs.
 * Query: `group`, `text` (in ids, errors, keys, headers and bodies; case does not matter), `offset`, `limit` (default 100, at most 500),
 * `fresh=1`, `all=1` (reads up to 10 000 messages in place of 2 000).
 */
export interface LettersAnswer extends Answer, Page {
  readonly queue: string;
  readonly of: string | null;
  readonly reading: ReadingFacts;
  /** Of the whole reading. */
  readonly groups: readonly DeadGroup[];
  readonly letters: readonly LetterRow[];
}

/** A dead letter in a list. Its texts come from others. */
export interface LetterRow {
  /** Names it in acts. Stable between readings. Of equal letters, each has its own, and an act takes any of them. */
  readonly key: string;
  /** In the queue, when it was read; 1 is the head. */
  readonly position: number;
  readonly group: string;
  /** Message id. */
  readonly id: string | null;
  /** Where it failed. */
  readonly queue: string | null;
  readonly handler: string | null;
  readonly reason: string | null;
  readonly byBroker: boolean;
  readonly error: string | null;
  readonly errorMessage: string | null;
  readonly attempts: number;
  readonly failedAt: number | null;
  /** Where it was published to. */
  readonly exchange: string | null;
  readonly routingKey: string | null;
  /** How often it was replayed. */
  readonly replayed: number;
  readonly bytes: number;
}

/** `GET api/dead-letters/:queue/letters/:key`, from the reading, or a new one when there is none. 409 `STALE` when it is not in it. */
export interface LetterAnswer extends Answer {
  readonly letter: LetterRow;
  readonly errorStack: string | null;
  readonly correlationId: string | null;
  readonly traceId: string | null;
  readonly headers: Fields;
  /** Without headers. */
  readonly properties: Fields;
  readonly body: Body;
  /** What the schema of its handler finds wrong; [] for nothing, null when no schema is known here, or `redact` is set. */
  readonly issues: readonly Issue[] | null;
  /** Why it cannot be edited: it is no text, compressed, too large, masked, has several kinds of line ends; null when it can. */
  readonly notEditable: string | null;
}

/** Which messages an act is about: keys (at most 500), a group, or all that match. */
export type Selection =
  | { readonly keys: readonly string[] }
  | { readonly group: string; readonly text?: string }
  | { readonly all: true; readonly text?: string };

/**
 * `POST api/acts/dead.replay`, right `replay`. Answers with its job at once. Only messages that were in the queue when it began.
 * One job per queue: else 429.
 */
export interface ReplayRequest {
  readonly queue: string;
  readonly select: Selection;
  /** Replays so many first, and waits for `job.continue`. 1 to 1000. Default: all. */
  readonly first?: number;
  /** Messages per second, 1 to 10 000. With `first`: of the rest. Default: as fast as it goes. */
  readonly rate?: number;
  /** Target queue. Default: the queue of the dead-letter queue. */
  readonly to?: string;
}

/** `POST api/acts/dead.drop`, right `edit`. Answers with its job at once. */
export interface DropRequest {
  readonly queue: string;
  readonly select: Selection;
  /** `server`: each message is saved on the server before it is deleted (see `Session.savesDropped`). `none`: they are lost. */
  readonly save: 'server' | 'none';
}

/**
 * `POST api/acts/dead.edit`, right `edit`: replays one message with another body, and removes it. Answers with its job when it
 * is done. 422 `DOES_NOT_FIT` when the schema of its handler says no.
 */
export interface EditRequest {
  readonly queue: string;
  readonly key: string;
  /** The whole new body, as text. */
  readonly body: string;
  /** Sends it although it does not fit the schema, or none is known. Default false. */
  readonly force?: boolean;
}

/** `POST api/acts/job.continue` (the rest, after `first`) and `job.stop`, right of the job's act. */
export interface JobRequest {
  readonly job: string;
  /** With `job.continue`: another rate. */
  readonly rate?: number;
}

/** Answer of all acts on dead letters. */
export interface JobAnswer {
  readonly job: Job;
}

/** `GET api/jobs`: those that run, and the last 100 that ended. The newest first. */
export interface JobsAnswer extends Answer {
  readonly jobs: readonly Job[];
}

/** Work on dead letters, in this process. */
export interface Job {
  readonly id: string;
  readonly act: 'dead.replay' | 'dead.drop' | 'dead.edit';
  readonly who: string | null;
  readonly queue: string;
  /** Replays: target. */
  readonly to: string | null;
  /** What was selected, for people: `3 messages`, `all of TypeError in Orders.place`. */
  readonly what: string;
  readonly startedAt: number;
  readonly endedAt: number | null;
  /** `waiting`: the first ones are replayed, see what becomes of them. `stopped`: by `job.stop` or the end of the process. */
  readonly state: 'running' | 'waiting' | 'done' | 'stopped' | 'failed';
  /** Replayed or dropped so far. */
  readonly done: number;
  /** Messages that match, as far as known; null when not counted yet. */
  readonly total: number | null;
  /**
   * Messages at the end of the queue that were not looked at, since 10 000 before them did not match: they are reached when
   * those are gone. 0 for none, and when it was stopped.
   */
  readonly leftOut: number;
  /**
   * What became of the replayed messages that were handled in this process, or null when they are handled elsewhere. Of the
   * first 20 000 that have an id.
   */
  readonly outcome: { readonly ack: number; readonly retry: number; readonly deadLetter: number } | null;
  readonly rate: number | null;
  /** With `failed`: what happened and what to do. */
  readonly error: string | null;
  /** Drops with `save`: name of the file on the server. */
  readonly file: string | null;
}

/** `GET api/history`: acts of all kinds in this process, the newest first, at most 500, of which at most 100 were refused. */
export interface HistoryAnswer extends Answer {
  readonly acts: readonly AuditRow[];
}

/** An act, as it is audited. */
export interface AuditRow {
  readonly at: number;
  readonly who: string | null;
  readonly act: string;
  /** Queue, handler, exchange and key, ...: what it was done to. */
  readonly target: string;
  /** `refused`: no right, wrong token, another site. */
  readonly result: 'done' | 'started' | 'failed' | 'refused';
  /** Numbers, or why it failed; ''. */
  readonly text: string;
  /** The process that did it. */
  readonly instance: InstanceRef;
}
