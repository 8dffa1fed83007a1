// The table of promises in docs/reliability.md, from docs/reliability/promises.json. That each promise stands in its
// page and each test in its file is held by test/architecture/promises.spec.ts.
import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { root } from '../run.mjs';

/**
 * One row for each promise, under a row that links its page.
 *
 * @param {(head: readonly string[], rows: readonly (readonly string[])[]) => string} table
 */
export function promiseTable(table) {
  /** @type {Record<string, readonly { promise: string, test: string }[]>} */
  const promises = JSON.parse(readFileSync(join(root, 'docs/reliability/promises.json'), 'utf8'));
  const rows = Object.entries(promises).flatMap(([page, promised]) => [
    [`**[${page}](${relative('docs', page)})**`, ''],
    ...promised.map(({ promise, test }) => [promise, `\`${test}\``]),
  ]);
  return table(['promise', 'test'], rows);
}
