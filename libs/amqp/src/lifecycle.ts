// From closed to ready: connections, declarations, and a consume-ok for every consumer, in a time that is bounded
// unless the application goes on without.

import type { Consumers } from './consume/consumers.js';
import { inTime, type Clock } from './runtime/clock.js';
import { MAX_DURATION } from './options/duration.js';
import { ConnectionLostError } from './errors/errors.js';
import type { Settings } from './options/settings.js';
import { declarePermitted } from './topology/passive-declare.js';
import type { TopologyPlan } from './topology/plan.js';
import type { Connections } from './connection/connection-pool.js';

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
