// Tables of docs/reliability.md from docs/reliability/*.json, which `npm run faults` writes: the page shows what was
// measured and nothing else. A file that is not there yet makes no table.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../run.mjs';

const kinds = {
  deliveries: 'a consumer receives',
  requests: 'an RPC server is asked',
  replies: 'a caller is answered with',
  publishes: 'a publisher is given',
};

/** The tables by their names; `table(heads, rows)` makes one. */
export function reliabilityTables(table) {
  const bad = measured('bad-inputs');
  if (bad === undefined) return {};
  const { systems, results } = bad;
  const made = Object.entries(kinds).map(([kind, head]) => [
    `bad-${kind}`,
    table(
      [head, ...systems.map(({ title, version }) => `${title}${version ? ` ${version}` : ''}`)],
      Object.entries(results[kind]).map(([input, each]) => [
        input,
        ...systems.map(({ key }) => (each[key] ? cell(each[key]) : 'not run')),
      ]),
    ),
  ]);
  return { ...Object.fromEntries(made), 'bad-summary': summary(bad, table) };
}

function summary({ systems, results }, table) {
  const rows = Object.entries(kinds).map(([kind, head]) => [
    head,
    ...systems.map(({ key }) => {
      const judged = Object.values(results[kind]).filter((each) => typeof each[key]?.clear === 'boolean');
      return `${judged.filter((each) => each[key].clear).length} of ${judged.length}`;
    }),
  ]);
  return table(['clear outcomes', ...systems.map(({ title }) => title)], rows);
}

function measured(name) {
  const path = join(root, 'docs', 'reliability', `${name}.json`);
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
}

// What is not a clear outcome stands out. Texts of libraries are shown as text.
function cell({ says, clear }) {
  const safe = says.replace(/[<>*_]/g, (sign) => `\\${sign}`);
  return clear === false ? `**${safe}**` : safe;
}
