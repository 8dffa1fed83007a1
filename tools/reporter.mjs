// A jest reporter that counts tests by project and by the broker that they ran on, for the block that `npm test`
// prints at its end, names those that failed or passed only at their second try, and measures each file. A test says
// which broker it ran on by the title of a `describe` around it.
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { root } from './run.mjs';

// `(embedded)`, `(RabbitMQ)`, or `(embedded against RabbitMQ)` for a comparison of the two, which counts for both.
const brokers = { embedded: /\(embedded\b[^)]*\)$/, rabbitmq: /\([^)]*\bRabbitMQ\)$/ };

export default class Counter {
  #projects = {};

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

const empty = () => ({
  passed: 0,
  failed: 0,
  skipped: 0,
  embedded: 0,
  rabbitmq: 0,
  secondTry: [],
  failures: [],
  files: [],
});

function count(counts, { status, ancestorTitles, fullName, invocations }, file) {
  const kind = status === 'passed' || status === 'failed' ? status : 'skipped';
  const name = `${fullName} (${file})`;
  if (kind === 'failed') fail(counts, name);
  else counts[kind] += 1;
  if (kind === 'skipped') return;
  if (kind === 'passed' && invocations > 1) counts.secondTry.push(name);
  for (const [broker, pattern] of Object.entries(brokers)) {
    if (ancestorTitles.some((title) => pattern.test(title))) counts[broker] += 1;
  }
}

function fail(counts, name) {
  counts.failed += 1;
  counts.failures.push(name);
}
