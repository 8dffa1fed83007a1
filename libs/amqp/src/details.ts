// What a broker object has in detail, for tools: handlers, topology, calls and waiting messages. More than `status()`, and
// slower.

import type { BrokerDetails, WaitingDetails } from './events/broker-details.js';
import { handlerInfo } from './consume/plugin-step.js';
import { countHeader, HEADER } from './message/headers.js';
import type { Settings } from './options/settings.js';
import type { Publishing } from './publishing.js';
import { type Clock, onWall } from './runtime/clock.js';
import type { TopologyBuilder } from './topology/topology-builder.js';

/** Where details are read from. */
export interface DetailsParts {
  readonly topologyBuilder: TopologyBuilder;
  readonly publishing: Publishing;
  readonly settings: Settings;
  readonly clock: Clock;
}

/** See `Broker.details`. */
export function brokerDetails(parts: DetailsParts): BrokerDetails {
  const { topologyBuilder, publishing, settings } = parts;
  const { exchanges, queues, bindings } = topologyBuilder.wanted ?? NOTHING;
  return {
    handlers: topologyBuilder.handlers.map((plan) => {
      const { options, ...info } = handlerInfo({ plan, settings });
      void options;
      const routes = plan.routes.flatMap(({ exchange, key }) => (exchange === '' ? [] : [{ exchange, key }]));
      return { ...info, prefetch: plan.prefetch, concurrency: plan.concurrency, routes, schema: plan.schema };
    }),
    topology: {
      exchanges,
      queues: queues.map(({ deadLettering, ...queue }) => ({
        ...queue,
        optionalArguments: deadLettering?.arguments ?? {},
      })),
      bindings,
    },
    calls: publishing.requester.details(),
    waiting: waitingDetails(parts),
  };
}

const NOTHING = { exchanges: [], queues: [], bindings: [] };

function waitingDetails({ publishing, clock }: DetailsParts): WaitingDetails[] {
  const waiting = publishing.mover.held().map(({ name, back, message, due, key }) => {
    const { routingKey, content, properties } = message;
    const isDelay = back.kind === 'delay';
    return {
      kind: isDelay ? ('delay' as const) : ('retry' as const),
      key,
      waitQueue: name,
      messageId: properties.messageId,
      exchange: isDelay ? back.exchange : '',
      routingKey,
      due: onWall(clock, due),
      attempt: isDelay ? undefined : 1 + countHeader(properties.headers ?? {}, HEADER.attempt),
      bytes: content.length,
    };
  });
  return waiting.sort((one, other) => one.due - other.due);
}
