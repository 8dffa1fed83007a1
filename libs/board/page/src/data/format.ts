// How numbers, sizes, durations and times are written: short, one form for each, and the same width where they stand in
// columns.
import { computed, signal } from '@preact/signals';
import { preference } from './preferences.js';

/** `local` or `utc`. */
export const zone = preference<'local' | 'utc'>('zone', ['local', 'utc']);

/** The time, once a second while somebody looks. */
export const now = signal(Date.now());

setInterval(() => {
  if (document.visibilityState === 'visible') now.value = Date.now();
}, 1_000);
document.addEventListener('visibilitychange', () => (now.value = Date.now()));

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });

export const count = (value: number): string => whole.format(value);

/** `1 queue`, `2 queues`. */
export const counted = (value: number, thing: string): string =>
  `${count(value)} ${thing}${value === 1 ? '' : 's'}`;

/** `12.3/s`; a number per minute when it is less than one in ten seconds. */
export function rate(perSecond: number): string {
  if (perSecond === 0) return '0/s';
  return perSecond < 0.1 ? `${short.format(perSecond * 60)}/min` : `${short.format(perSecond)}/s`;
}

export function bytes(size: number): string {
  if (size < 1_024) return `${size} B`;
  const [unit, by] = size < 1_048_576 ? ['KiB', 1_024] : ['MiB', 1_048_576];
  return `${short.format(size / Number(by))} ${unit}`;
}

const units: readonly [number, string][] = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'min'],
  [1, 's'],
];

/** `8 ms`, `1.25 s`, `3 min 20 s`, `5 h 2 min`, `3 d 4 h`: never more than two units. */
export function duration(ms: number): string {
  if (ms < 0) return `-${duration(-ms)}`;
  if (ms < 1) return ms === 0 ? '0 ms' : '< 1 ms';
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${short.format(Math.round(ms / 10) / 100)} s`;
  const seconds = Math.round(ms / 1_000);
  const first = units.findIndex(([size]) => seconds >= size);
  const [size, unit] = units[first];
  const [next, nextUnit] = units[first + 1] ?? [0, ''];
  const rest = next === 0 ? 0 : Math.floor((seconds % size) / next);
  return `${Math.floor(seconds / size)} ${unit}${rest > 0 ? ` ${rest} ${nextUnit}` : ''}`;
}

/** `12 s ago`, `in 3 min`, `2 h ago`: one unit, whole, since it changes while one reads. */
export function relative(at: number, from: number): string {
  const seconds = Math.abs(at - from) / 1_000;
  if (seconds < 1.5) return 'now';
  const [size, unit] = units.find(([each]) => seconds >= each) ?? [1, 's'];
  const text = `${Math.floor(seconds / size)} ${unit}`;
  return at < from ? `${text} ago` : `in ${text}`;
}

const clock = computed(() => {
  const options: Intl.DateTimeFormatOptions = {
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    fractionalSecondDigits: 3,
    hourCycle: 'h23',
    ...(zone.value === 'utc' && { timeZone: 'UTC' }),
  };
  return new Intl.DateTimeFormat('en', options);
});

/** `2026-11-28 06:05:12.120` in the zone that was chosen. */
export function dateTime(at: number): string {
  if (!Number.isFinite(at)) return 'at an unknown time';
  const part = Object.fromEntries(clock.value.formatToParts(at).map(({ type, value }) => [type, value]));
  const { year, month, day, hour, minute, second, fractionalSecond } = part;
  return `${year}-${month}-${day} ${hour}:${minute}:${second}.${fractionalSecond}`;
}

/** `06:05:12.120`. */
export const timeOfDay = (at: number): string => dateTime(at).slice(11);

/** Name of the zone that times are shown in. */
export const zoneName = computed(() =>
  zone.value === 'utc'
    ? 'UTC'
    : Intl.DateTimeFormat().resolvedOptions().timeZone.split('/').pop()!.replaceAll('_', ' '),
);
