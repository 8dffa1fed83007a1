// Finished spans as a trace view shows them: each below its parent, in the order in which they began.
import type { ReadableSpan } from '@opentelemetry/sdk-trace-node';

const began = ({ startTime: [seconds, nanos] }: ReadableSpan): number => seconds * 1_000_000_000 + nanos;

/** A line for each span, indented below its parent; `describe` says what is on it. */
export function spanTree(
  all: readonly ReadableSpan[],
  describe: (span: ReadableSpan) => string = ({ name }) => name,
): string[] {
  const ids = new Set(all.map((span) => span.spanContext().spanId));
  const above = ({ parentSpanContext: parent }: ReadableSpan): string | undefined =>
    parent && ids.has(parent.spanId) ? parent.spanId : undefined;
  const below = (parent: string | undefined, indent: string): string[] =>
    all
      .filter((span) => above(span) === parent)
      .sort((one, other) => began(one) - began(other))
      .flatMap((span) => [indent + describe(span), ...below(span.spanContext().spanId, `${indent}  `)]);
  return below(undefined, '');
}

/** In the order in which they began, which is known to the millisecond: below a parent later than it. */
export function inOrder(all: readonly ReadableSpan[]): ReadableSpan[] {
  const byId = new Map(all.map((span) => [span.spanContext().spanId, span]));
  const depth = ({ parentSpanContext: parent }: ReadableSpan): number => {
    const above = parent && byId.get(parent.spanId);
    return above ? 1 + depth(above) : 0;
  };
  return [...all].sort((one, other) => began(one) - began(other) || depth(one) - depth(other));
}
