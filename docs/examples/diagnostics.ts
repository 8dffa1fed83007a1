// What docs/events.md shows about node:diagnostics_channel. Compiled with everything else, and run by test/docs.
// #region subscribe
import { subscribe } from 'node:diagnostics_channel';
import type { DiagnosticsMessage } from '@warren/nestjs';

export function onPublished(message: unknown): void {
  const { service, broker, event } = message as DiagnosticsMessage<'published'>;
  console.log(service, broker, event.outcome);
}

subscribe('warren:published', onPublished);
// #endregion
