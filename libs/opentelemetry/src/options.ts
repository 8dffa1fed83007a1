// Options of the plugin and of handlers for it.

import type { TracerProvider } from '@opentelemetry/api';

/**
 * How the span of an attempt belongs to the message's trace. `child`: in the trace of the publish. `link`: in a trace of its
 * own, with a link to the publish. `auto`: child for what is fresh and single, link for retries, delayed messages, replays,
 * batches and `broadcast`.
 */
export type ParentRule = 'auto' | 'child' | 'link';

/** Options of `openTelemetry()`. */
export interface OpenTelemetryOptions {
  /** How spans of attempts belong to the traces of their messages. Default `auto`. */
  readonly parent?: ParentRule;
  /**
   * Names the destination of a publish in few words when its routing key holds ids, for names of spans:
   * `orders:order.{id}.created`. Undefined for the key as it is. Events published by contract have theirs already.
   */
  readonly template?: (message: {
    readonly exchange: string;
    readonly routingKey: string;
  }) => string | undefined;
  /** Where spans go. Default: the global provider, also when it is registered later. */
  readonly tracerProvider?: TracerProvider;
}

/** The handler option `plugins: { opentelemetry }`. */
export interface OpenTelemetryHandlerOptions {
  /** Instead of the plugin's own. */
  readonly parent?: ParentRule;
}

declare module '@warren/amqp' {
  interface HandlerPluginOptions {
    readonly opentelemetry?: OpenTelemetryHandlerOptions;
  }
}

const RULES: readonly unknown[] = ['auto', 'child', 'link'] satisfies ParentRule[];

/** @throws TypeError when `given` is no rule */
export function parentRule(given: ParentRule | undefined, where: string): ParentRule | undefined {
  if (given === undefined || RULES.includes(given)) return given;
  throw new TypeError(`${where}: parent must be 'auto', 'child' or 'link', but is ${JSON.stringify(given)}`);
}
