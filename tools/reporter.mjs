// A jest reporter that counts tests by project and by the broker that they ran on, for the block that `npm test`
// prints at its end, names those that failed, were skipped or passed only at their second try, and measures each file. A test says
// which broker it ran on by the title of a `describe` around it.
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { root } from './run.mjs';

// `(embedded)`, `(RabbitMQ)`, or `(embedded against RabbitMQ)` for a comparison of the two, which counts for both.
const brokers = { embedded: /\(embedded\b[^)]*\)$/, rabbitmq: /\([^)]*\bRabbitMQ\)$/ };

/** @typedef {import('./summary.mjs').Counts} Counts */

export default class Counter {
  /** @type {Record<string, Counts>} */
  #projects = {};

  /** @param {import('@jest/reporters').Test} test @param {import('@jest/reporters').TestResult} result */
  onTestResult(test, result) {
    const counts = (this.#projects[test.context.config.displayName?.name ?? 'tests'] ??= empty());
    const file = relative(root, test.path);
    for (const each of result.testResults) count(counts, each, file);
    // A file that does not even load has no tests to fail.
    if (result.testExecError) fail(counts, file);
    counts.files.push({ file, seconds: (result.perfStats.end - result.perfStats.start) / 1_000 });
  }

  onRunComplete() {
    const path = process.env.TEST_RESULTS;
    if (path) writeFileSync(path, JSON.stringify(this.#projects));
  }
}

/** @returns {Counts} */
const empty = () => ({
  passed: 0,
  failed: 0,
  skipped: 0,
  embedded: 0,
  rabbitmq: 0,
  secondTry: [],
  skips: [],
  failures: [],
  files: [],
});

/**
 * @param {Counts} counts
 * @param {import('@jest/reporters').TestResult['testResults'][number]} result
 * @param {string} file
 */
function count(counts, { status, ancestorTitles, fullName, invocations }, file) {
  const kind = status === 'passed' || status === 'failed' ? status : 'skipped';
  const name = `${fullName} (${file})`;
  if (kind === 'failed') fail(counts, name);
  else counts[kind] += 1;
  if (kind === 'skipped') {
    counts.skips.push(name);
    return;
  }
  if (kind === 'passed' && (invocations ?? 0) > 1) counts.secondTry.push(name);
  for (const [broker, pattern] of Object.entries(brokers)) {
    if (ancestorTitles.some((title) => pattern.test(title)))
      counts[/** @type {keyof typeof brokers} */ (broker)] += 1;
  }
}

/** @param {Counts} counts @param {string} name */
function fail(counts, name) {
  counts.failed += 1;
  counts.failures.push(name);
}
