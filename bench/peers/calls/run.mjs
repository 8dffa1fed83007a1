// A table of what becomes of calls: some fifty situations for Warren, golevelup and Nest's transport on both brokers,
// in one run. `npm run faults -- --calls [words]` runs all and writes docs/reliability/calls.json, from which
// `npm run docs` makes the table of docs/rpc.md; with words those whose names contain one, and nothing is written.
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { clearTimeout, setTimeout } from 'node:timers';
import { build } from '../../../tools/build.mjs';
import { fail, onSignal, root } from '../../../tools/run.mjs';
import { installPeers, versionOf } from '../install.mjs';

/**
 * @typedef {import('./situations.mjs').Situation} Situation
 * @typedef {{ group: string, name: string, says: Record<string, string> }} Result
 */

/** Nothing here may take longer, in milliseconds. */
const LIMIT = 8 * 60_000;

const words = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const began = performance.now();
await build({ ifNeeded: true });
await installPeers();
// What follows needs packages that the two lines above bring.
const { startBrokers } = await import('./brokers.mjs');
const { endAll } = await import('../harness/child.mjs');
const { systems } = await import('../harness/systems.mjs');
const { Stand } = await import('./stand.mjs');
const { absences, errors, replies, values } = await import('./situations.mjs');
const { brokers: brokerLosses, loads, losses } = await import('./losses.mjs');
const { meet } = await import('./meet.mjs');

const compared = systems.filter(({ settings }) => settings.careful !== false);
const groups = {
  'the handler': [...values, ...errors],
  'the call': [...absences, ...replies],
  'something is lost': [...losses, ...brokerLosses],
  'many calls': loads,
};
const brokers = await startBrokers(compared.map(({ key }) => key));
const tooLong = setTimeout(() => fail(`The calls were not through after ${LIMIT / 60_000} minutes.`), LIMIT);
/** @type {import('./stand.mjs').Stand[]} */
let stands = [];
const over = async () => {
  clearTimeout(tooLong);
  await endAll();
  await Promise.all(stands.map((stand) => stand.close().catch(() => {})));
  await Promise.all(brokers.map((broker) => broker.stop()));
};
onSignal(over);

/** @type {Result[]} */
const results = [];
/** @type {string[]} */
const wrong = [];
try {
  stands = brokers.flatMap((broker) => compared.map((system) => new Stand(system, broker, system.key)));
  await Promise.all(stands.map((stand) => stand.open()));
  for (const [group, situations] of Object.entries(groups)) {
    for (const situation of situations) {
      if (words.length > 0 && !words.some((word) => situation.name.includes(word))) continue;
      const says = await meet(situation, stands, brokers);
      results.push({ group, name: situation.name, says });
      report(situation, says);
    }
  }
  if (words.length === 0) write(await brokers[1].version());
} finally {
  await over();
}
for (const sentence of wrong) console.error(`Warren: ${sentence}`);
console.log(
  `${results.length} situations, Warren as promised in all but ${wrong.length}: ` +
    `${((performance.now() - began) / 60_000).toFixed(1)} min`,
);
process.exitCode = wrong.length > 0 ? 1 : 0;

/** @param {Situation} situation @param {Result['says']} says */
function report({ name, warren }, says) {
  console.log(`${name}  (${((performance.now() - began) / 1_000).toFixed(0)} s)`);
  for (const [key, sentence] of Object.entries(says)) {
    console.log(`  ${key}: ${sentence}`);
    if (key.startsWith('warren ') && !warren.test(sentence)) wrong.push(`${name}, ${key}: ${sentence}`);
  }
}

/** @param {string} rabbitmq */
function write(rabbitmq) {
  const folder = join(root, 'docs', 'reliability');
  mkdirSync(folder, { recursive: true });
  const measured = {
    date: new Date().toISOString().slice(0, 10),
    node: process.versions.node,
    rabbitmq,
    processors: availableParallelism(),
    systems: compared.map(({ key, name, title }) => ({ key, title, version: versionOf(name) })),
    brokers: brokers.map(({ key, title }) => ({ key, title })),
    results,
  };
  writeFileSync(join(folder, 'calls.json'), `${JSON.stringify(measured, null, 2)}\n`);
}
