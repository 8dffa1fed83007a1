// What a consumer of the benchmark is in the options of Warren's handlers; both contenders use it.

/** Milliseconds before the second attempt. */
const RETRY_DELAY = 10;

/**
 * Options of a handler; those that are not needed are not there.
 *
 * @param {import('./bare.mjs').Consumer} consumer
 * @returns {object}
 */
export function handlerOptions({ queueArguments, fails, batch, ordered }) {
  const retries = { attempts: 2, delays: RETRY_DELAY, jitter: false };
  return {
    ...(queueArguments?.['x-queue-type'] && { queueType: queueArguments['x-queue-type'] }),
    ...(fails && { retry: fails === 'retry' && retries }),
    ...(batch && { batch }),
    ...(ordered && { orderBy: 'routingKey' }),
  };
}
