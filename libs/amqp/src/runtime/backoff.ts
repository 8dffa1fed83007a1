// How long to wait before trying to connect again: doubled each time up to a cap, and spread by chance
// so that a hundred clients of one broker do not come back in the same instant.

/** Wait before attempt `attempt` (0 is the first retry): between half and all of min·2^attempt, at most `max`. */
export function backoff(
  attempt: number,
  min: number,
  max: number,
  random: () => number = Math.random,
): number {
  const full = Math.min(max, min * 2 ** Math.min(attempt, 30));
  return Math.round(full / 2 + (full / 2) * random());
}
