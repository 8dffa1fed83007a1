// @Subscribe: events from an exchange.

import { defineHandler, HANDLER_KEY, readArguments, type OptionsOrFactory } from './define-handler.js';

/**
 * The method handles events whose routing key fits one of the patterns (`*` one word, `#` any number). Every service
 * gets its copy, the instances of one service share it; with `broadcast: true` every instance gets its own.
 *
 * ```ts
 * @Subscribe('order.*.created')
 * @Subscribe(['#.error', '#.fatal'], { broadcast: true })
 * @Subscribe({ bindings: [{ exchange: { name: 'reports', type: 'headers' }, match: { all: { format: 'pdf' } } }] })
 * ```
 */
export function Subscribe(patterns: string | readonly string[], options?: OptionsOrFactory): MethodDecorator;
export function Subscribe(options: OptionsOrFactory): MethodDecorator;
export function Subscribe(
  first: string | readonly string[] | OptionsOrFactory,
  second?: OptionsOrFactory,
): MethodDecorator {
  return defineHandler({ kind: 'subscribe', ...readArguments(first, second) });
}

/** Metadata key, for Reflector. */
Subscribe.KEY = HANDLER_KEY;
