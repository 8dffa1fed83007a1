// The plugin that shows metrics to Prometheus, by prom-client.

import { register, type Registry } from 'prom-client';
import { metrics, type Plugin } from '@warren/amqp';
import { RegistryMetrics, RegistrySink } from './registry-metrics.js';

/** Where `prometheus()` puts its metrics. */
export interface PrometheusOptions {
  /** Default: the default registry of prom-client, which @willsoto/nestjs-prometheus serves as well. */
  readonly registry?: Registry;
}

const KEY = Symbol.for('@warren/nestjs/prometheus');

/** By registry. For the whole process: a package that was loaded twice must not register its metrics twice. */
function shared(): WeakMap<Registry, RegistryMetrics> {
  const all = globalThis as { [KEY]?: WeakMap<Registry, RegistryMetrics> };
  return (all[KEY] ??= new WeakMap<Registry, RegistryMetrics>());
}

/**
 * Metrics for Prometheus: `plugins: [prometheus()]` in the options of a connection. Each connection gets a plugin of its own;
 * the label `connection` tells them apart. Needs the package prom-client. docs/metrics.md has the metrics.
 */
export function prometheus({ registry = register }: PrometheusOptions = {}): Plugin {
  const all = shared();
  let found = all.get(registry);
  if (!found) all.set(registry, (found = new RegistryMetrics(registry)));
  return metrics(new RegistrySink(found), 'prometheus');
}
