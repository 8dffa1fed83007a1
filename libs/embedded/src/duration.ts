// Durations as a test writes them: `'2m36s'`, `'1h30m'`, `'250ms'`, or milliseconds.

/** Milliseconds, or numbers with units: `'250ms'`, `'5s'`, `'2m36s'`, `'1h30m'`, `'1d'`. */
export type Span = number | string;

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const PART = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/g;

/** Milliseconds of a span. Throws a RangeError naming `what` when it is none. */
export function spanMs(value: Span, what: string): number {
  const ms = typeof value === 'number' ? value : parse(value);
  if (Number.isFinite(ms) && ms >= 0) return ms;
  throw new RangeError(`${what} must be milliseconds or a duration such as '2m36s', but is ${String(value)}`);
}

function parse(text: string): number {
  const parts = [...text.matchAll(PART)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text) return NaN;
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * UNITS[unit], 0);
}
