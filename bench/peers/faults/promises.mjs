// What Warren promises in every fault, held against the figures of a run. A line for each promise that was broken.

/** Broken promises of one fault, as sentences; none is what is wanted. */
export function broken(name, figures) {
  const found = [];
  const never = (count, what) => {
    if (count > 0) found.push(`${name}: ${what} ${count}`);
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
  const untold = (figures.rejectedButArrived ?? 0) - (figures.unknown ?? figures.rejectedButArrived ?? 0);
  never(untold, 'rejected for certain, but arrived');
  for (const what of ['sends', 'handles']) {
    if (figures[what] && figures[what].silent === null) found.push(`${name}: ${what} never came back`);
  }
  for (const exit of [figures.exit, figures.consumerExit].filter((each) => each !== undefined)) {
    if (exit.ms === null) found.push(`${name}: a process did not end`);
    else if (exit.code !== 0 && exit.code !== 'SIGKILL') found.push(`${name}: ended with ${exit.code}`);
  }
  if (figures.said === false) found.push(`${name}: the log does not say it`);
  for (const sentence of figures.broken ?? []) found.push(`${name}: ${sentence}`);
  if (figures.after !== undefined && figures.after < 10) {
    found.push(`${name}: afterwards only ${figures.after} of 10 calls were answered`);
  }
  return found;
}
