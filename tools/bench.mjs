// `npm run bench`: what messages cost with Warren and with others, in one run on one private RabbitMQ. Half an hour, with
// progress; ends with tables, docs/performance/bench.json and a chart, and with exit code 1 if any work was not done.
//   -- --quick                     a minute: every contender, each kind of case, tiny counts; checks, no timings. With --only:
//                                  every contender of these cases
//   -- --only consume,rpc-64       cases with one of these words in their names
//   -- --contenders warren,amqplib-tuned
//   -- --rounds 5                  default 3
//   -- --list                      the names of all cases
//   -- --compare FILE              instead of writing: what moved since docs/performance/bench.json, or another such file
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { fail, onSignal, root, runNode } from './run.mjs';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    contenders: { type: 'string', default: '' },
    rounds: { type: 'string' },
    list: { type: 'boolean', default: false },
    compare: { type: 'string' },
  },
});
/** @param {string} text */
const words = (text) => text.toLowerCase().split(',').filter(Boolean);
const { quick } = values;
if (values.list) {
  const { cases } = await import('../bench/speed/cases.mjs');
  for (const { key, title } of cases) console.log(`${key.padEnd(28)} ${title}`);
  process.exit();
}
// Read first: a name that is wrong must not cost half an hour.
const earlier = values.compare === undefined ? undefined : JSON.parse(readFileSync(values.compare, 'utf8'));
const rounds = Number(values.rounds ?? (quick ? 1 : 3));
if (!(Number.isInteger(rounds) && rounds > 0)) fail(`--rounds ${values.rounds} is not a number of rounds.`);

await build({ ifNeeded: true });
const { install } = await import('../bench/speed/packages.mjs');
await install(console.log);
const { bench, chosen } = await import('../bench/speed/run.mjs');
const { picked, players } = chosen({ quick, only: words(values.only), who: words(values.contenders) });
if (picked.length === 0 || players.length === 0) fail('No case or no contender has such a name.');

let stop = () => {};
onSignal(() => stop());
const began = performance.now();
const command = ['npm run bench', ...(process.argv.length > 2 ? ['--'] : []), ...process.argv.slice(2)].join(
  ' ',
);
/** @param {() => Promise<unknown>} end */
const onStand = (end) => (stop = end);
const result = await bench({ picked, players, rounds, quick, command, say: console.log, onStand });

const { tablesOf } = await import('./docs/performance.mjs');
console.log(`\n${tablesOf(result)}\n`);
if (quick) console.log('So few messages say that the work is done, not what it costs.');
const whole = !quick && earlier === undefined && values.only === '' && values.contenders === '';
/** @typedef {{ title: string, cells: Record<string, { error?: string, failed?: number, why?: string, rounds?: number }> }} Case */

const errors = result.cases.flatMap((/** @type {Case} */ { title, cells }) =>
  Object.entries(cells).flatMap(([key, { error }]) => (error ? [`${title}, ${key}: ${error}`] : [])),
);
const failures = result.cases.flatMap((/** @type {Case} */ { title, cells }) =>
  Object.entries(cells).flatMap(([key, { failed, why, rounds: all }]) =>
    failed ? [`${title}, ${key}: ${failed} of ${all} rounds: ${why}`] : [],
  ),
);
for (const failure of failures) console.error(`FAILED  ${failure}`);
for (const error of errors) console.error(`ERROR  ${error}`);
// What another library cannot do is shown in the table; an error of ours, or of what all are compared with, is no result.
const counts = ['warren', 'warren-amqp', 'amqplib-tuned', 'bare', 'embedded', 'rabbitmq'];
const broken = result.cases.some((/** @type {Case} */ { cells }) => counts.some((key) => cells[key]?.error));
if (whole && !broken) await write();
console.log(
  `${result.cases.length} cases, ${errors.length} errors, ${((performance.now() - began) / 60_000).toFixed(1)} min`,
);
process.exitCode = errors.length + failures.length > 0 ? 1 : 0;
if (earlier !== undefined) {
  const { compare, compared } = await import('../bench/speed/compare.mjs');
  console.log(compared(earlier, result).join('\n'));
  if (compare(earlier, result).worse.length > 0) process.exitCode = 1;
}

/** The figures of docs/performance.md, their chart, and its tables. */
async function write() {
  const { chart } = await import('../bench/speed/chart.mjs');
  const folder = join(root, 'docs', 'performance');
  mkdirSync(folder, { recursive: true });
  const { writeJson } = await import('./docs/json.mjs');
  await writeJson(join(folder, 'bench.json'), result);
  writeFileSync(join(folder, 'bench.svg'), chart(result));
  await runNode([join(root, 'tools', 'docs.mjs')], { quiet: true });
}
