// The audit: each act is a line in the log of the application, a call of `onAct`, and a row of the view History.

import type { BrokerLogger, Clock } from '@warren/nestjs';
import type { InstanceRef } from '../api/answers.js';
import type { AuditRow } from '../api/dead-letters.js';
import type { BoardAct } from '../options.js';

/** Rows that are remembered, and how many of them may be refused acts, which need no right. */
const MOST_ACTS = 500;
const MOST_REFUSED = 100;

/** Acts of strangers that are told in a minute. */
const MOST_OF_STRANGERS = 100;

/** Whom to tell. */
export interface AuditParts {
  readonly clock: Clock;
  readonly logger: Pick<BrokerLogger, 'log' | 'warn'>;
  readonly instance: () => InstanceRef;
  /** All pages. */
  readonly tell: (row: AuditRow) => void;
  readonly onAct: ((act: BoardAct) => void) | undefined;
  /** `onAct` threw. */
  readonly onFailed: (error: unknown) => void;
}

/** See above. */
export class Audit {
  private readonly rows: AuditRow[] = [];
  private minute = 0;
  private strangers = 0;

  constructor(private readonly parts: AuditParts) {}

  /** What is remembered, the newest first. */
  list(): AuditRow[] {
    return this.rows.toReversed();
  }

  /** An act of somebody who has rights. */
  add(facts: Omit<BoardAct, 'at'>): void {
    const { act, row } = this.facts(facts);
    this.rows.push(row);
    this.forget();
    this.parts.tell(row);
    this.note(act);
  }

  /** A refused act of somebody without any right, who may send thousands of them: only logged, and at most 100 in a minute. */
  addOfStranger(facts: Omit<BoardAct, 'at'>): void {
    const minute = Math.floor(this.parts.clock.monotonic() / 60_000);
    if (minute !== this.minute) [this.minute, this.strangers] = [minute, 0];
    this.strangers++;
    if (this.strangers <= MOST_OF_STRANGERS) this.note(this.facts(facts).act);
    if (this.strangers === MOST_OF_STRANGERS)
      this.parts.logger.warn(
        'further acts of people without rights are refused without a line here, for up to a minute',
      );
  }

  private facts(facts: Omit<BoardAct, 'at'>): { readonly act: BoardAct; readonly row: AuditRow } {
    const at = this.parts.clock.wall();
    const act = { ...facts, at, target: facts.target.slice(0, 500), text: facts.text.slice(0, 500) };
    return { act, row: { ...act, who: act.who ?? null, instance: this.parts.instance() } };
  }

  private forget(): void {
    const refused = this.rows.filter(({ result }) => result === 'refused');
    if (refused.length > MOST_REFUSED) this.rows.splice(this.rows.indexOf(refused[0]), 1);
    if (this.rows.length > MOST_ACTS) this.rows.shift();
  }

  private note(act: BoardAct): void {
    const { who = null, act: name, target, result, text } = act;
    // As JSON, so that nothing of a message can look like a line of its own.
    const line = `board-act ${JSON.stringify({ who, act: name, target, result, text })}`;
    if (result === 'refused' || result === 'failed') this.parts.logger.warn(line);
    else this.parts.logger.log(line);
    try {
      this.parts.onAct?.(act);
    } catch (error) {
      this.parts.onFailed(error);
    }
  }
}
