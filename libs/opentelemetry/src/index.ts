// What an application may use of @warren/opentelemetry.

export { openTelemetry } from './open-telemetry.js';
export { openTelemetryMetrics, type OpenTelemetryMetricsOptions } from './meters.js';
export type { OpenTelemetryHandlerOptions, OpenTelemetryOptions, ParentRule } from './options.js';
export { ATTRIBUTES, EVENTS, SCHEMA_URL, SPANS, type AttributeRow, type SpanRow } from './conventions.js';
