// A jest reporter that counts tests by project and by the broker that they ran on, for the block that `npm test`
// prints at its end, and names those that passed only at their second try. A test says which broker it ran on by the title of a `describe` around it.
import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import { root } from './run.mjs';

// `(embedded)`, `(RabbitMQ)`, or `(embedded against RabbitMQ)` for a comparison of the two, which counts for both.
const brokers = { embedded: /\(embedded\b[^)]*\)$/, rabbitmq: /\([^)]*\bRabbitMQ\)$/ };

export default class Counter {
  #projects = {};

  onTestResult(test, result) {
    const counts = (this.#projects[test.context.config.displayName?.name ?? 'tests'] ??= empty());
    for (const each of result.testResults) count(counts, each, test.path);
    // A file that does not even load has no tests to fail.
    if (result.testExecError) counts.failed += 1;
  }

  onRunComplete() {
    const path = process.env.TEST_RESULTS;
    if (path) writeFileSync(path, JSON.stringify(this.#projects));
  }
}

const empty = () => ({ passed: 0, failed: 0, skipped: 0, embedded: 0, rabbitmq: 0, secondTry: [] });

function count(counts, { status, ancestorTitles, fullName, invocations }, path) {
  const kind = status === 'passed' || status === 'failed' ? status : 'skipped';
  counts[kind] += 1;
  if (kind === 'skipped') return;
  if (kind === 'passed' && invocations > 1) counts.secondTry.push(`${fullName} (${relative(root, path)})`);
  for (const [broker, pattern] of Object.entries(brokers)) {
    if (ancestorTitles.some((title) => pattern.test(title))) counts[broker] += 1;
  }
}
