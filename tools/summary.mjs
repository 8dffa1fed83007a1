// The block at the end of `npm test`: what ran where, and what did not run and why. Apart from the running itself,
// so that the continuous integration can add up the same numbers.

/**
 * What the reporter wrote of one project.
 *
 * @typedef {object} Counts
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 * @property {number} embedded
 * @property {number} rabbitmq
 * @property {string[]} secondTry the names of tests that passed only then
 * @property {string[]} skips the names of tests that were skipped
 * @property {string[]} failures
 * @property {{ file: string, seconds: number }[]} files
 */

/** @typedef {Record<string, Counts>} Results */

/**
 * The numbers over all projects.
 *
 * @param {Results} results
 */
export function total(results) {
  const sum = { passed: 0, failed: 0, skipped: 0, embedded: 0, rabbitmq: 0 };
  const kinds = /** @type {(keyof typeof sum)[]} */ (Object.keys(sum));
  for (const counts of Object.values(results)) for (const key of kinds) sum[key] += counts[key];
  return sum;
}

/**
 * The tests that failed, with project and file.
 *
 * @param {Results} results
 */
export function failures(results) {
  return Object.entries(results).flatMap(([project, counts]) =>
    counts.failures.map((name) => `${project}: ${name}`),
  );
}

/**
 * The files that took longest. Several run at a time, so the sum is more than the time of the run.
 *
 * @param {Results} results
 */
function slowest(results) {
  return Object.entries(results)
    .flatMap(([project, { files }]) => files.map((each) => ({ ...each, project })))
    .sort((one, other) => other.seconds - one.seconds)
    .slice(0, 10);
}

/**
 * The block as text. `results` is what the reporter wrote, undefined when jest ended before its end.
 *
 * @param {{ results: Results | undefined, missing: readonly string[], nodes: readonly { what: string }[], seconds: number }} ran
 */
export function summary({ results, missing, nodes, seconds }) {
  if (results === undefined) return '\njest ended before it could say what it ran.';
  /** @type {[string, ReturnType<typeof total>][]} */
  const rows = [...Object.entries(results).sort(([a], [b]) => a.localeCompare(b)), ['all', total(results)]];
  const columns = ['', 'passed', 'failed', 'skipped', 'on embedded', 'on RabbitMQ'];
  const cells = rows.map(([name, each]) =>
    [name, each.passed, each.failed, each.skipped, each.embedded, each.rabbitmq].map(String),
  );
  const widths = columns.map((title, i) => Math.max(title.length, ...cells.map((row) => row[i].length)));
  /** @param {readonly string[]} row */
  const line = (row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ');
  const [first, ...others] = nodes.map(({ what }) => what);
  const again = others.length > 0 ? `; contract and e2e again on ${others.join(' and ')}` : '';
  const secondTry = Object.values(results).flatMap((counts) => counts.secondTry);
  const skips = [...new Set(Object.values(results).flatMap((counts) => counts.skips))];
  return [
    '',
    `What ran (${seconds.toFixed(0)} s, Node ${process.versions.node}${first ? `, ${first}${again}` : ''})`,
    ...[columns, ...cells].map((row) => `  ${line(row)}`.trimEnd()),
    missing.length + skips.length === 0 ? 'Nothing of it was left out.' : 'What did not run, and why',
    ...missing.map((each) => `  - ${each}`),
    ...skips.slice(0, 20).map((each) => `  - skipped: ${each}`),
    ...(skips.length > 20 ? [`  - skipped: ${skips.length - 20} more`] : []),
    ...(secondTry.length > 0 ? ['What passed only at its second try: look into it'] : []),
    ...secondTry.map((each) => `  - ${each}`),
    'The slowest files',
    ...slowest(results).map(
      ({ seconds, project, file }) => `  ${seconds.toFixed(0).padStart(4)} s  ${project}: ${file}`,
    ),
    ...(failures(results).length > 0 ? ['What failed'] : []),
    ...failures(results).map((each) => `  - ${each}`),
  ].join('\n');
}
