// A guard that is named by class but unknown to the module that owns the handler would be skipped by
// Nest without a word. An open door must be a boot error.

import { ConfigError } from '@warren/amqp';
import type { PlannedHandler } from '../discovery/handler-plan.js';
import { ENHANCER_KEYS, PARAMETERS_KEY } from './nest-internals.js';

/** Checks every guard, interceptor, pipe and filter that the handler names by class. @throws ConfigError */
export function assertEnhancersRun({ id, found }: PlannedHandler): void {
  const { host, method } = found;
  const { prototype, module } = host;
  const callback = (prototype as Record<string, object>)[method];
  for (const [kind, key] of Object.entries(ENHANCER_KEYS)) {
    const named = [...metadata(key, prototype.constructor), ...metadata(key, callback)];
    for (const enhancer of named) check(kind, enhancer);
  }
  const parameters = (Reflect.getMetadata(PARAMETERS_KEY, prototype.constructor, method) ?? {}) as Parameters;
  for (const parameter of Object.values(parameters)) {
    for (const pipe of parameter.pipes ?? []) check('pipe', pipe);
  }

  function check(kind: string, enhancer: unknown): void {
    if (typeof enhancer !== 'function' || module.injectables.has(enhancer)) return;
    throw new ConfigError(
      `${id} names the ${kind} ${enhancer.name}, which Nest would not run: ${host.className} is provided by a factory or value`,
      `provide ${host.className} as a class, or give an instance (new ${enhancer.name}()) instead of the class`,
    );
  }
}

type Parameters = Record<string, { readonly pipes?: readonly unknown[] }>;

function metadata(key: string, target: object): unknown[] {
  return (Reflect.getMetadata(key, target) ?? []) as unknown[];
}
