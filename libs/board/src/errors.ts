// Answers that are errors.

import { RabbitError } from '@warren/nestjs';
import type { ErrorAnswer, Issue } from './api/answers.js';

const STATUS = {
  BAD_REQUEST: 400,
  NO_SESSION: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  STALE: 409,
  TOO_LARGE: 413,
  CONTENT_TYPE: 415,
  DOES_NOT_FIT: 422,
  BUSY: 429,
  FAILED: 500,
  BROKER: 502,
  NOT_BUILT: 503,
} as const;

/** An error that is told to the page. */
export class BoardError extends Error {
  constructor(
    readonly code: keyof typeof STATUS,
    message: string,
    readonly help = '',
    readonly issues: readonly Issue[] = [],
  ) {
    super(message);
  }
}

/** Errors of Warren that are about the request. */
const OF_WARREN: Readonly<Record<string, number>> = {
  WARREN_TOPOLOGY_MISSING: STATUS.NOT_FOUND,
  WARREN_CONFIG: STATUS.BAD_REQUEST,
  WARREN_ENCODE: STATUS.BAD_REQUEST,
};

/** Longest text of an error. */
const LONGEST = 2_000;

/** Status and body for what was thrown. Texts of unknown errors stay here. */
export function errorAnswer(thrown: unknown): { readonly status: number; readonly body: ErrorAnswer } {
  if (thrown instanceof BoardError) {
    const { code, message, help, issues } = thrown;
    return { status: STATUS[code], body: { error: { code, message: cut(message), help, issues } } };
  }
  if (thrown instanceof RabbitError) {
    const { code, message, hint } = thrown;
    const status = OF_WARREN[code] ?? STATUS.BROKER;
    // Its message ends with the hint, in brackets.
    const what = hint === '' ? message : message.replace(` (${hint})`, '');
    return { status, body: { error: { code, message: cut(what), help: cut(hint), issues: [] } } };
  }
  const message = 'the board failed; the log of the application says more';
  return { status: STATUS.FAILED, body: { error: { code: 'FAILED', message, help: '', issues: [] } } };
}

const cut = (text: string): string => text.slice(0, LONGEST);
