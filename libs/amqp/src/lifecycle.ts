// From closed to ready: connections, declarations, and a consume-ok for every consumer. The time is bounded, unless
// the application starts in the background.

import { Consumers } from './consume/consumers.js';
import { pipelineSteps } from './consume/pipeline.js';
import type { HandlerContext, Source } from './consume/step.js';
import type { Connection } from './connection/connection.js';
import { RpcServer, type RpcServerOptions } from './rpc/server/rpc-server.js';
import type { Publishing } from './publishing.js';
import { logHandler } from './topology/describe-handler.js';
import type { TopologyPlan } from './topology/plan.js';
import { routingType } from './topology/specs.js';
import type { TopologyBuilder } from './topology/topology-builder.js';
import type { ConnectionPool } from './connection/connection-pool.js';
import type { TopologyReconciler } from './topology/reconciler.js';
import { inTime, type Clock } from './runtime/clock.js';
import { MAX_DURATION } from './options/duration.js';
import { ConnectionLostError } from './errors/errors.js';
import type { Settings } from './options/settings.js';
import { declarePermitted } from './topology/declare.js';

/** Dependencies. */
export interface ConsumingParts extends Pick<
  HandlerContext,
  'settings' | 'clock' | 'deadlines' | 'events' | 'counters' | 'late' | 'plugins'
> {
  /** See `Internals`. */
  readonly remoteError: RpcServerOptions['remoteError'];
  readonly topologyBuilder: TopologyBuilder;
  readonly plan: TopologyPlan;
  readonly connections: ConnectionPool;
  readonly topology: TopologyReconciler;
  readonly publishing: Publishing;
  /** Events of the broker object. */
  readonly name: string;
}

/** @throws ConfigError when handlers of one queue conflict */
export function consumersOf({
  topologyBuilder,
  plan,
  connections,
  topology,
  publishing,
  name,
  remoteError,
  ...shared
}: ConsumingParts): Consumers {
  const { handlers } = topologyBuilder;
  const serves = handlers.some(({ rpc }) => rpc);
  const connection = connections.forConsuming(serves);
  const { service } = shared.settings;
  const source: Source = {
    service,
    name,
    get vhost() {
      return connection.vhost;
    },
    get server() {
      return connection.server;
    },
  };
  const { replies } = publishing;
  const { settings, clock } = shared;
  const replyConnection = (replyTo: string): Connection => replies.connectionFor(replyTo);
  const rpc = serves
    ? new RpcServer({ connection, replyConnection, settings, clock, handlers, replies, remoteError })
    : undefined;
  const consumers = new Consumers({
    connection,
    handlers,
    topology: plan,
    declared: () => topology.declared,
    typeOf: (exchange) => routingType(topologyBuilder.exchange(exchange)),
    shared: {
      ...shared,
      source,
      logger: shared.settings.logger,
      forwarder: publishing.publisher,
      steps: pipelineSteps(rpc?.step),
      rpc,
    },
  });
  for (const handler of handlers) logHandler(handler, shared.settings);
  return consumers;
}

/** What to start. */
export interface Beginning {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly connections: ConnectionPool;
  readonly plan: TopologyPlan;
  readonly consumers: Consumers | undefined;
}

/** Resolves when everything is ready; with `startup: 'background'`, however long that takes. */
export async function begin({ settings, clock, connections, plan, consumers }: Beginning): Promise<void> {
  const patient = settings.startup === 'background';
  const end = clock.monotonic() + settings.startupTimeout;
  const left = (): number | undefined => (patient ? undefined : Math.max(1, end - clock.monotonic()));
  // A publisher that was used before open() has already connected, without the topology.
  const early = connections.publish.state === 'open' && !consumers;
  await connections.opened(left());
  if (early) await declarePermitted(connections.publish, plan);
  if (consumers) await inTime(clock, left() ?? MAX_DURATION, consumers.start(), () => notReady(consumers));
}

function notReady(consumers: Consumers): Error {
  const missing = consumers
    .status()
    .flatMap(({ ready, queue, lastError }) =>
      ready ? [] : [lastError === undefined ? queue : `${queue} (${lastError})`],
    );
  const what = missing.length > 0 ? missing.join(', ') : 'the queue in which callers say that they left';
  return new ConnectionLostError(
    `the broker did not confirm in time (startupTimeout) that this process consumes ${what}`,
    undefined,
    "raise startupTimeout, or use startup: 'background' to go on trying",
  );
}
