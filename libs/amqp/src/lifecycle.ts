// From closed to ready: connections, declarations, and a consume-ok for every consumer, in a time that is bounded
// unless the application goes on without.

import { Consumers } from './consume/consumers.js';
import { pipelineSteps } from './consume/pipeline-steps.js';
import type { HandlerContext, Source } from './consume/step.js';
import type { Connection } from './connection/connection.js';
import { RpcServer, type RpcServerOptions } from './rpc/server/rpc-server.js';
import type { Outbound } from './publishing.js';
import { introduce } from './topology/describe-handler.js';
import type { TopologyPlan } from './topology/plan.js';
import { routingType } from './topology/specs.js';
import type { Blueprint } from './topology/topology-builder.js';
import type { Connections } from './connection/connection-pool.js';
import type { TopologyKeeper } from './topology/reconciler.js';
import { inTime, type Clock } from './runtime/clock.js';
import { MAX_DURATION } from './options/duration.js';
import { ConnectionLostError } from './errors/errors.js';
import type { Settings } from './options/settings.js';
import { declarePermitted } from './topology/passive-declare.js';

/** What they are made from. */
export interface ConsumingParts extends Pick<
  HandlerContext,
  'settings' | 'clock' | 'deadlines' | 'events' | 'counters' | 'late'
> {
  /** See `Internals`. */
  readonly remoteError: RpcServerOptions['remoteError'];
  readonly blueprint: Blueprint;
  readonly plan: TopologyPlan;
  readonly links: Connections;
  readonly topology: TopologyKeeper;
  readonly outbound: Outbound;
  /** Of the broker object. */
  readonly name: string;
}

/** @throws ConfigError when handlers of one queue do not fit together */
export function consumersOf({
  blueprint,
  plan,
  links,
  topology,
  outbound,
  name,
  remoteError,
  ...shared
}: ConsumingParts): Consumers {
  const { handlers } = blueprint;
  const serves = handlers.some(({ rpc }) => rpc);
  const connection = links.forConsuming(serves);
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
  const { answers } = outbound;
  const { settings, clock } = shared;
  const replies = (replyTo: string): Connection => answers.connectionFor(replyTo);
  const rpc = serves
    ? new RpcServer({ connection, replies, settings, clock, handlers, answers, remoteError })
    : undefined;
  const consumers = new Consumers({
    connection,
    handlers,
    topology: plan,
    declared: () => topology.declared,
    typeOf: (exchange) => routingType(blueprint.exchange(exchange)),
    shared: {
      ...shared,
      source,
      logger: shared.settings.logger,
      outlet: outbound.publisher,
      steps: pipelineSteps(rpc?.step),
      rpc,
    },
  });
  for (const handler of handlers) introduce(handler, shared.settings);
  return consumers;
}

/** What begins. */
export interface Beginning {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly links: Connections;
  readonly plan: TopologyPlan;
  readonly consumers: Consumers | undefined;
}

/** Resolves when everything is ready; with `startup: 'background'`, however long that takes. */
export async function begin({ settings, clock, links, plan, consumers }: Beginning): Promise<void> {
  const patient = settings.startup === 'background';
  const end = clock.monotonic() + settings.startupTimeout;
  const left = (): number | undefined => (patient ? undefined : Math.max(1, end - clock.monotonic()));
  // A publisher that was used before open() has connected already, without the plan.
  const early = links.publish.state === 'open' && !consumers;
  await links.opened(left());
  if (early) await declarePermitted(links.publish, plan);
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
