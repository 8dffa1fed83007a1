// The frame of a view: its name and summary, its tools, a notice when what is shown is not fresh, and what is open.
import type { ComponentChildren } from 'preact';
import type { Resource } from '../data/resource.js';
import { Failed, Skeleton } from './words.js';

export interface ViewProps {
  readonly title: string;
  readonly summary?: ComponentChildren;
  readonly tools?: ComponentChildren;
  readonly pane?: ComponentChildren;
  readonly children: ComponentChildren;
}

export function View({ title, summary, tools, pane, children }: ViewProps) {
  return (
    <div class={pane ? 'view with-pane' : 'view'}>
      <div class="list">
        <header class="top">
          <h1>{title}</h1>
          <div class="summary">{summary}</div>
          <div class="tools">{tools}</div>
        </header>
        {children}
      </div>
      {pane}
    </div>
  );
}

export interface LoadedProps<T> {
  readonly from: Resource<T> & { readonly reload: () => void };
  readonly rows?: number;
  readonly children: (data: T) => ComponentChildren;
}

/** What was loaded; a skeleton until then, and what went wrong. Old data stay in sight, and are said to be old. */
export function Loaded<T>({ from, rows, children }: LoadedProps<T>) {
  const { data, error, reload } = from;
  if (data === undefined) return error ? <Failed error={error} retry={reload} /> : <Skeleton rows={rows} />;
  return (
    <>
      {error && (
        <p class="stale" role="status">
          Not up to date: {error.message}
        </p>
      )}
      {children(data)}
    </>
  );
}
