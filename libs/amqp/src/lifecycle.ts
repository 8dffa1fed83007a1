// From closed to ready: connections, declarations, and a consume-ok for every consumer. The time is bounded, unless
// the application starts in the background.

import type { FleetMember } from './fleet/member.js';
import type { BrokerControl } from './control/broker-control.js';
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
import { inTime, type Clock, withTimeout } from './runtime/clock.js';
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
  readonly connections: ConnectionPool;
  readonly topology: TopologyReconciler;
  readonly publishing: Publishing;
  /** Events of the broker object. */
  readonly name: string;
}

/** @throws ConfigError when handlers of one queue conflict */
export function consumersOf({
  topologyBuilder,
  connections,
  topology,
  publishing,
  name,
  remoteError,
  ...shared
}: ConsumingParts): Consumers {
  const { handlers } = topologyBuilder;
  const connection = connections.forConsuming();
  const { service } = shared.settings;
  const source: Source = { service, name, connection };
  const { replies } = publishing;
  const { settings, clock } = shared;
  const replyConnection = (replyTo: string): Connection => replies.connectionFor(replyTo);
  const consumers = new Consumers({
    connection,
    handlers,
    topology: topologyBuilder.plan ?? topologyBuilder.build(),
    declared: () => topology.declared,
    typeOf: (exchange) => routingType(topologyBuilder.exchange(exchange)),
    steps: (rpc) => pipelineSteps(rpc?.step),
    callServer: () => {
      connections.replies = true;
      return new RpcServer({ connection, replyConnection, settings, clock, handlers, replies, remoteError });
    },
    shared: {
      ...shared,
      source,
      logger: shared.settings.logger,
      forwarder: publishing.publisher,
    },
  });
  for (const handler of handlers) logHandler(handler, shared.settings);
  return consumers;
}

/** How long a start waits to learn what is wanted everywhere, in ms. */
const LEARNING = 5_000;

/** What to start. */
export interface Beginning {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly connections: ConnectionPool;
  readonly plan: TopologyPlan;
  readonly consumers: Consumers | undefined;
  readonly fleet: FleetMember;
  readonly control: BrokerControl;
}

/** Resolves when everything is ready; with `startup: 'background'`, however long that takes. */
export async function begin({
  settings,
  clock,
  connections,
  plan,
  consumers,
  fleet,
  control,
}: Beginning): Promise<void> {
  const patient = settings.startup === 'background';
  const end = clock.monotonic() + settings.startupTimeout;
  const left = (): number | undefined => (patient ? undefined : Math.max(1, end - clock.monotonic()));
  // A publisher that was used before open() has already connected, without the topology.
  const early = connections.publish.state === 'open' && !consumers;
  await connections.opened(left());
  if (early) await declarePermitted(connections.publish, plan);
  // What is paused everywhere begins paused. When that cannot be learned, it is in the log.
  const known = control.start();
  await withTimeout(clock, Math.min(left() ?? LEARNING, LEARNING), (over) => Promise.race([known, over]));
  if (consumers) await inTime(clock, left() ?? MAX_DURATION, consumers.start(), () => notReady(consumers));
  const answers = fleet.start(connections.consume ?? connections.publish);
  // That it cannot be asked is in the log, and no reason to fail.
  await withTimeout(clock, left() ?? MAX_DURATION, (over) => Promise.race([answers, over]));
  if (fleet.closed) throw new ConnectionLostError('the broker object was closed before it was open');
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
