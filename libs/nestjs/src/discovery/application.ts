// The handlers of an application, found and worked out once, however many connections ask. What is loaded lazily
// afterwards comes too late to be consumed, and says so.

import type { LazyModuleLoader, ModulesContainer } from '@nestjs/core';
import { ConfigError } from '@warren/amqp';
import { HANDLER_KEY, type Get } from '../decorators/define-handler.js';
import { LISTENER_KEY } from '../decorators/on-rabbit-event.js';
import { RABBIT_FEATURE } from '../module-options.js';
import { connectionNames } from './connections.js';
import { exploreHandlers } from './handler-explorer.js';
import { markedMethods } from './handler-metadata.js';
import { planHandlers, type PlannedHandler } from './handler-plan.js';
import { hosts } from './hosts.js';

const planned = new WeakMap<ModulesContainer, readonly PlannedHandler[]>();

/** All handlers, of every connection. @throws ConfigError naming the handler that cannot be */
export function handlersOf(modules: ModulesContainer, get: Get): readonly PlannedHandler[] {
  const known = planned.get(modules);
  if (known) return known;
  const handlers = planHandlers(exploreHandlers(modules), get, connectionNames(modules));
  planned.set(modules, handlers);
  return handlers;
}

const guarded = new WeakSet<LazyModuleLoader>();

/** From now on `load` rejects when the module brings what the application would have to consume, hear or declare. */
export function refuseLazyHandlers(loader: LazyModuleLoader, modules: ModulesContainer): void {
  if (guarded.has(loader)) return;
  guarded.add(loader);
  const known = new Set(modules.values());
  const load = loader.load.bind(loader);
  loader.load = async (...args) => {
    const loaded = await load(...args);
    const late = hosts(modules)
      .filter(({ module }) => !known.has(module))
      .flatMap((host) => {
        return [HANDLER_KEY, LISTENER_KEY].flatMap((key) =>
          markedMethods(host, key).map(({ method }) => `${host.className}.${method}`),
        );
      });
    const features = [...modules.values()].filter(
      (module) => !known.has(module) && module.providers.has(RABBIT_FEATURE),
    );
    const all = [...late, ...features.map(() => 'RabbitModule.forFeature(...)')];
    if (all.length > 0) throw lateError(all.join(', '));
    return loaded;
  };
}

/** A lazily loaded module, after consumers have started or without any. */
export function lateError(what: string): ConfigError {
  return new ConfigError(
    `${what} is in a lazily loaded module: it gets no messages and declares nothing`,
    'import the module statically; a lazily loaded module can only publish and call',
  );
}
