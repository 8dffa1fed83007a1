// Options that slow or stop a handler. Rates are written as a number of messages and a unit of time: '100/s', '30/m',
// '500/h'; only this file reads them.

import type { Duration } from './duration.js';
import { ConfigError } from '../errors/errors.js';

/** Messages in a second, minute or hour: `'100/s'`, `'30/m'`, `'500/h'`. */
export type Rate = `${number}/${'s' | 'm' | 'h'}`;

/** When a handler stops, and for how long: see docs/control.md. */
export interface BreakerOptions {
  /** So many failed runs among the last `of` open it, 1 to 1000. */
  readonly failures: number;
  /** How many runs are looked at, 1 to 1000. Default: `failures`, which then are failures in a row. */
  readonly of?: number | undefined;
  /** How long nothing runs before one message probes, at most half of `consumerTimeout`. Default 30s. */
  readonly pause?: Duration | undefined;
}

/** Options of a handler that slow or stop it. */
export interface FlowOptions {
  /** Messages that may start in a second, minute or hour, per instance: `'100/s'`. Default: no limit. */
  readonly rate?: Rate | undefined;
  /** Stops the handler while what it needs is down, instead of letting every message fail. Default: none. */
  readonly breaker?: BreakerOptions | undefined;
  /** Begins paused: nothing is consumed before it is resumed at run time. Default false. */
  readonly paused?: boolean | undefined;
}

/** What may be changed together. */
export interface ConsumerChange {
  readonly prefetch?: number;
  readonly concurrency?: number;
  /** null: no limit any more. */
  readonly rate?: Rate | null;
}

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600 };

/** Above this nothing is limited: a timer is not that exact. */
const MOST = 1_000_000;

/** Messages per second. @throws ConfigError when it is no rate; `what` names the option */
export function messagesPerSecond(rate: Rate, what: string): number {
  const match = typeof rate === 'string' ? /^(\d+(?:\.\d+)?)\/([smh])$/.exec(rate) : null;
  const perSecond = match ? Number(match[1]) / SECONDS[match[2]] : 0;
  if (perSecond > 0 && perSecond <= MOST) return perSecond;
  throw new ConfigError(
    `${what} must be a rate such as '100/s', but is ${typeof rate === 'string' ? `'${String(rate).slice(0, 60)}'` : String(rate)}`,
    `write a number of messages above 0 and a unit: '100/s', '30/m', '500/h'; at most ${MOST}/s`,
  );
}
