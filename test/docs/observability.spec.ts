// The application of docs/observability.md has the spans that the page shows.
import { afterAll, expect, it } from '@jest/globals';
import { InMemorySpanExporter, type ReadableSpan } from '@opentelemetry/sdk-trace-node';
import { SpanKind } from '@opentelemetry/api';
import { Publisher } from '@warren/nestjs';
import { RabbitTesting } from '@warren/nestjs/testing';
import { ShopModule, startTracing } from '../../docs/examples/tracing.js';
import { spanTree } from '../support/span-tree.js';
import { promised } from './page.js';

const exporter = new InMemorySpanExporter();
const provider = startTracing(exporter);
afterAll(() => provider.shutdown());

const SHOWN = ['warren.routed', 'warren.attempt', 'warren.verdict', 'warren.retry.after_ms', 'error.type'];

/** `publish order.placed PRODUCER routed=true`. */
function line(all: readonly ReadableSpan[], span: ReadableSpan): string {
  const facts = SHOWN.flatMap((name) => {
    const value = span.attributes[name];
    return value === undefined ? [] : [`${name.replace('warren.', '')}=${String(value)}`];
  });
  const links = span.links.map(({ context: { spanId }, attributes }) => {
    const to = all.find((other) => other.spanContext().spanId === spanId);
    return `${String(attributes?.['warren.link'])} -> ${to?.name ?? 'unknown'}`;
  });
  return [
    `${span.name}  ${SpanKind[span.kind]}`,
    ...(facts.length > 0 ? [facts.join(' ')] : []),
    ...(links.length > 0 ? [`links: ${links.join(', ')}`] : []),
  ].join('  ');
}

it('the spans of the page are those of its application', async () => {
  exporter.reset();
  const rabbit = await RabbitTesting.start({ imports: [ShopModule] });
  try {
    await rabbit.get(Publisher).send('orders', { sku: 'carrot' });
    await rabbit.idle();
    await provider.forceFlush();
    const all = exporter.getFinishedSpans();
    expect(spanTree(all, (span) => line(all, span))).toEqual(
      promised('docs/observability.md', 'docs/examples/tracing.ts'),
    );
  } finally {
    await rabbit.stop();
  }
});
