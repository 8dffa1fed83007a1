// Programs that a run has started and that outlive it: brokers of tests that were interrupted, workers that did not hear a
// signal. They are found by a variable in their environment, which all that are started below inherit, whatever
// process group they are in, and ended by their ids. Only where there is /proc; elsewhere nothing is found.
import { readFileSync, readdirSync } from 'node:fs';

/** The variable; its value is one run. */
export const MARK = 'WARREN_RUN';

/**
 * Ids of the processes of a run, but for this one.
 *
 * @param {string} run
 * @param {string} mark the variable
 */
export function leftBehind(run, mark = MARK) {
  return processes().filter((pid) => pid !== process.pid && environment(pid).includes(`${mark}=${run}`));
}

/**
 * Ends them, and says how many there were.
 *
 * @param {string} run
 */
export function endLeftBehind(run) {
  const found = leftBehind(run);
  for (const pid of found) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
  return found.length;
}

function processes() {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

// Somebody else's process, or one that has just ended, tells nothing.
/** @param {number} pid */
function environment(pid) {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0');
  } catch {
    return [];
  }
}
