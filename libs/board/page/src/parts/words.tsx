// Small pieces of text that many views show: times, states, figures, names that are too long.
import type { ComponentChildren } from 'preact';
import { dateTime, duration, now, relative, zoneName } from '../data/format.js';

/** `12 s ago`, the exact time on hovering. */
export function Ago({ at }: { readonly at: number | undefined }) {
  if (at === undefined) return <span class="faint">–</span>;
  return (
    <time dateTime={iso(at)} title={`${dateTime(at)} ${zoneName.value}`}>
      {relative(at, now.value)}
    </time>
  );
}

/** The exact time, how long ago on hovering. */
export function At({ at }: { readonly at: number | undefined }) {
  if (at === undefined) return <span class="faint">–</span>;
  return (
    <time dateTime={iso(at)} title={relative(at, now.value)}>
      {dateTime(at)}
    </time>
  );
}

/** How long it has lasted, growing. */
export function Since({ at }: { readonly at: number }) {
  return (
    <time dateTime={iso(at)} title={`since ${dateTime(at)}`}>
      {duration(Math.max(0, Math.floor((now.value - at) / 1_000) * 1_000))}
    </time>
  );
}

const iso = (at: number): string | undefined =>
  Math.abs(at) <= 8.64e15 ? new Date(at).toISOString() : undefined;

export type Tone = 'plain' | 'good' | 'warn' | 'bad' | 'accent';

/** A word that says a state; never by its colour alone. */
export function Tag({
  tone = 'plain',
  title,
  children,
}: {
  readonly tone?: Tone;
  readonly title?: string | undefined;
  readonly children: ComponentChildren;
}) {
  return (
    <span class={`tag ${tone}`} title={title}>
      {children}
    </span>
  );
}

/** A name of the broker or the code: one line, whole on hovering. */
export function Name({
  children,
  title,
}: {
  readonly children: string | undefined;
  readonly title?: string;
}) {
  if (children === undefined || children === '') return <span class="faint">–</span>;
  return (
    <code class="name" title={title ?? children}>
      {children}
    </code>
  );
}

/** Where a message goes: an exchange with a key, or a queue. */
export function Target({
  exchange,
  routingKey,
}: {
  readonly exchange: string;
  readonly routingKey: string | null;
}) {
  return (
    <code
      class="name"
      title={exchange === '' ? `queue ${routingKey ?? ''}` : `exchange ${exchange}, key ${routingKey ?? ''}`}
    >
      {exchange !== '' && <span class="faint">{exchange} </span>}
      {routingKey}
    </code>
  );
}

/** Nothing to show, and what to do about it. */
export function Empty({
  title,
  children,
}: {
  readonly title: string;
  readonly children?: ComponentChildren;
}) {
  return (
    <div class="empty">
      <p class="title">{title}</p>
      {children && <div class="what">{children}</div>}
    </div>
  );
}

/** What went wrong, and a way to try again. */
export function Failed({
  error,
  retry,
}: {
  /** `help`: what to do about it. */
  readonly error: Error & { readonly help?: string };
  readonly retry?: () => void;
}) {
  return (
    <div class="empty failed" role="alert">
      <p class="title">This could not be loaded</p>
      <div class="what">
        {error.message} {error.help}
      </div>
      {retry && (
        <button type="button" class="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

/** As high as what will come: rows of a table, or lines of a text. */
export function Skeleton({ rows = 12 }: { readonly rows?: number }) {
  return (
    <div class="skeleton" role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, index) => (
        <div key={index} style={{ width: `${30 + ((index * 37) % 60)}%` }} />
      ))}
    </div>
  );
}

/** Facts with their names, one a line. */
export function Facts({ children }: { readonly children: ComponentChildren }) {
  return <dl class="facts">{children}</dl>;
}

export function Fact({
  name,
  children,
  hidden = false,
}: {
  readonly name: string;
  readonly children: ComponentChildren;
  readonly hidden?: boolean;
}) {
  if (hidden) return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
