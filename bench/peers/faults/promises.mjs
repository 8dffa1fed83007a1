// What Warren promises in every fault, held against the figures of a run. A line for each promise that was broken.

/**
 * How a process ended; `ms` is null when it had to be killed.
 *
 * @typedef {{ ms: number | null, code?: number | string | Error | null }} Exit
 */

/** @typedef {import('./ledger.mjs').Ledger} Ledger */

/**
 * What was counted in one run for one system; which of it, depends on the kind of fault.
 *
 * @typedef {Partial<ReturnType<Ledger['verdict']> & ReturnType<Ledger['calls']> & More>} Figures
 */

/**
 * What the faults add to the ledger. `memory` is in MiB, before and after; `meanwhile` counts messages handled during the
 * fault, `after` the calls answered afterwards, of ten; `broken` are sentences.
 *
 * @typedef {object} More
 * @property {number} begunAfter
 * @property {number} cut
 * @property {Exit} exit
 * @property {Exit} consumerExit
 * @property {readonly (number | null | undefined)[]} memory
 * @property {boolean} said
 * @property {number} meanwhile
 * @property {number} after
 * @property {readonly string[]} broken
 * @property {string} crash
 */

/** MiB that a producer may grow by while it has no broker: what its publish buffer may hold. */
const ALLOWED_GROWTH = 64;
/** Seconds until work goes on after the broker can be had again: the longest wait between two attempts, and a start. */
const BACK = 10;
/** Calls here have 3 s; later than this, in milliseconds, nobody waits any more. */
const LATEST_ANSWER = 4_000;

/**
 * Broken promises of one fault, as sentences; none is what is wanted. `figures` are undefined when it did not run.
 *
 * @param {string} name
 * @param {Figures | undefined} figures
 */
export function broken(name, figures) {
  /** @type {string[]} */
  const found = [];
  /** @param {number | undefined} count @param {string} what */
  const never = (count, what) => {
    if (count !== undefined && count > 0) found.push(`${name}: ${what} ${count}`);
  };
  if (typeof figures !== 'object') return [`${name}: did not run (${String(figures)})`];
  never(figures.lost, 'confirmed and lost');
  never(figures.unsettled, 'promises never settled');
  never(figures.stranded, 'left in the queue');
  never(figures.unexplained, 'handled twice without a fault in between');
  never(figures.wrongAttempts, 'handled more or fewer times than their failures ask for');
  never(figures.wrong, 'calls with the answer of another');
  never(figures.crashes, 'crashes or unhandled rejections');
  never(figures.leaks, 'lines with the password');
  never(figures.begunAfter, 'handlers begun after the signal');
  // Rejected although it arrived is honest only when the error says that nobody knows.
  never(figures.falselyRejected, 'rejected for certain, but arrived');
  for (const exit of [figures.exit, figures.consumerExit].filter((each) => each !== undefined)) {
    if (exit.ms === null) found.push(`${name}: a process did not end`);
    else if (exit.code !== 0 && exit.code !== 'SIGKILL') found.push(`${name}: ended with ${exit.code}`);
  }
  if (figures.exit?.code === 0) never(figures.cut, 'handlers cut off by a polite end');
  found.push(...bounds(figures).map((sentence) => `${name}: ${sentence}`));
  if (figures.said === false) found.push(`${name}: the log does not say it`);
  for (const sentence of figures.broken ?? []) found.push(`${name}: ${sentence}`);
  if (figures.after !== undefined && figures.after < 10) {
    found.push(`${name}: afterwards only ${figures.after} of 10 calls were answered`);
  }
  return found;
}

/**
 * What took longer, or more, than anybody may expect.
 *
 * @param {Figures} figures
 */
function bounds({ sends, handles, memory, slowestFailure = 0 }) {
  const found = [];
  for (const [what, gap] of Object.entries({ sends, handles })) {
    if (gap?.silent === null) found.push(`${what} never came back`);
    else if (gap && gap.back > BACK) found.push(`${what} came back after ${gap.back} s only`);
  }
  const growth = Number(memory?.[1]) - Number(memory?.[0]);
  if (memory?.includes(null)) found.push('memory was not told');
  else if (growth > ALLOWED_GROWTH) found.push(`memory grew by ${growth} MiB`);
  if (slowestFailure > LATEST_ANSWER) found.push(`a call failed after ${slowestFailure} ms only`);
  return found;
}
