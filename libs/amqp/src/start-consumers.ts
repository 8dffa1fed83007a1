// The consumers of a broker object, put together from its parts, and introduced in the log.

import { Consumers } from './consume/consumers.js';
import type { HandlerRoom, Source } from './consume/step.js';
import type { Outbound } from './publishing.js';
import { introduce } from './topology/describe-handler.js';
import type { TopologyPlan } from './topology/plan.js';
import { routingType } from './topology/specs.js';
import type { Blueprint } from './topology/topology-builder.js';
import type { Connections } from './connection/connection-pool.js';
import type { TopologyKeeper } from './topology/reconciler.js';

/** What they are made from. */
export interface ConsumingParts extends Pick<
  HandlerRoom,
  'settings' | 'clock' | 'deadlines' | 'events' | 'counters' | 'remoteError' | 'late'
> {
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
  ...shared
}: ConsumingParts): Consumers {
  const { handlers } = blueprint;
  const answers = handlers.some(({ rpc }) => rpc);
  const connection = links.forConsuming(answers);
  const { service } = shared.settings;
  const source: Source = {
    ...{ service, name },
    get vhost() {
      return connection.vhost;
    },
    get server() {
      return connection.server;
    },
  };
  const consumers = new Consumers({
    connection,
    replies: (replyTo) => outbound.answers.connectionFor(replyTo),
    handlers,
    topology: plan,
    declared: () => topology.declared,
    typeOf: (exchange) => routingType(blueprint.exchange(exchange)),
    shared: {
      ...shared,
      source,
      logger: shared.settings.logger,
      outlet: outbound.publisher,
      answers: outbound.answers,
    },
  });
  for (const handler of handlers) introduce(handler, shared.settings);
  return consumers;
}
