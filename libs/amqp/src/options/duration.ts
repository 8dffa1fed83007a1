// Durations are written as milliseconds or as '250ms', '5s', '2m', '1h', '1d'. This file is the only
// one that reads them, so that every option refuses the same nonsense with the same sentence.

import { ConfigError } from '../errors/errors.js';

/** Milliseconds, or a number with a unit: `'250ms'`, `'5s'`, `'2m'`, `'1h'`, `'1d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`;

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The longest wait that timers and RabbitMQ both accept: 2^31 - 1 ms, almost 25 days. */
export const MAX_DURATION = 2_147_483_647;

/**
 * Milliseconds of a duration, rounded to whole ones.
 *
 * @throws ConfigError when the text is no duration, negative, or above 2 147 483 647 ms, almost 25 days; `what` names the option.
 */
export function milliseconds(value: Duration, what: string): number {
  return atMost(MAX_DURATION, value, what);
}

/** The same of an age, which no timer waits for: it may be longer. @throws ConfigError when it is no duration, or negative */
export function ageInMilliseconds(value: Duration, what: string): number {
  return atMost(Number.MAX_SAFE_INTEGER, value, what);
}

function atMost(most: number, value: Duration, what: string): number {
  const ms = typeof value === 'number' ? value : parse(value);
  if (ms === undefined || !Number.isFinite(ms) || ms < 0 || ms > most) {
    throw new ConfigError(
      `${what} must be a duration, but is ${describe(value)}`,
      `write milliseconds (5000) or a string such as '5s', '250ms', '2m'; at most ${most} ms`,
    );
  }
  return Math.round(ms);
}

/** A duration for people: `250ms`, `5s`, `1m30s`. */
export function humanDuration(ms: number): string {
  if (Math.round(ms) < 1_000) return `${Math.round(ms)}ms`;
  if (Math.round(ms / 100) < 600) return `${trim(ms / 1_000)}s`;
  // Rounded first: what is almost a minute must not become 60 seconds.
  const all = Math.round(ms / 1_000);
  const minutes = Math.floor(all / 60);
  const seconds = all % 60;
  if (minutes < 60) return seconds ? `${minutes}m${seconds}s` : `${minutes}m`;
  return minutes % 60 ? `${Math.floor(minutes / 60)}h${minutes % 60}m` : `${minutes / 60}h`;
}

function parse(text: unknown): number | undefined {
  const match = typeof text === 'string' ? /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text.trim()) : null;
  return match ? Number(match[1]) * UNITS[match[2]] : undefined;
}

function describe(value: unknown): string {
  return typeof value === 'string' ? `'${value}'` : String(value);
}

function trim(value: number): string {
  return String(Math.round(value * 10) / 10);
}
