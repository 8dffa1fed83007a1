// Warren, golevelup and Nest's transport side by side: the same faults and the same bad inputs, one program, one
// private broker, one judge. Writes what it saw to docs/reliability, from where `npm run docs` makes the tables.
// `node bench/peers/run.mjs [words]` runs all, or measures again the faults whose names contain one of the words.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { clearTimeout, setTimeout } from 'node:timers';
import { pathToFileURL } from 'node:url';
import { build } from '../../tools/build.mjs';
import { fail, onSignal, root } from '../../tools/run.mjs';
import { installPeers, versionOf } from './install.mjs';

/** Nothing here may take longer, in milliseconds; it takes half of it on a quiet machine. */
const LIMIT = 25 * 60_000;

/**
 * Runs everything; resolves when the figures are written. `words` limits it to some faults.
 *
 * @param {{ words?: readonly string[], say?: (line: string) => void }} [how]
 */
export async function sideBySide({ words = [], say = console.log } = {}) {
  const began = performance.now();
  await build({ ifNeeded: true });
  await installPeers(undefined, say);
  // What follows needs packages that the two lines above bring.
  const { Broker } = await import('./harness/broker.mjs');
  const { endAll } = await import('./harness/child.mjs');
  const broker = await Broker.start();
  const tooLong = setTimeout(
    () => fail(`The side by side was not through after ${LIMIT / 60_000} minutes.`),
    LIMIT,
  );
  const over = async () => {
    clearTimeout(tooLong);
    await endAll();
    await broker.stop();
  };
  onSignal(over);
  try {
    await measure(broker, words, say);
  } finally {
    await over();
  }
  say(`side by side: ${((performance.now() - began) / 60_000).toFixed(1)} min`);
}

/**
 * @param {import('./harness/broker.mjs').Broker} broker
 * @param {readonly string[]} words
 * @param {(line: string) => void} say
 */
async function measure(broker, words, say) {
  const { runFaults } = await import('./faults/run.mjs');
  const { badInputs } = await import('./bad/run.mjs');
  const { systems } = await import('./harness/systems.mjs');
  const only = (/** @type {string} */ name) =>
    words.length === 0 || words.some((word) => name.includes(word));
  const measured = {
    date: new Date().toISOString().slice(0, 10),
    node: process.versions.node,
    rabbitmq: await broker.version(),
    processors: availableParallelism(),
    systems: systems.map(({ key, name, title }) => ({ key, title, version: versionOf(name) })),
  };
  const faults = await runFaults({ broker, say, only });
  // Rows that were measured again take the place of the old ones.
  const before = words.length > 0 ? read('faults') : {};
  write('faults', { ...measured, results: { ...before, ...faults } });
  if (words.length > 0) return;
  write('bad-inputs', { ...measured, results: await badInputs({ vhost: broker.vhost, say }) });
}

const folder = join(root, 'docs', 'reliability');

/** @param {string} name */
function read(name) {
  const path = join(folder, `${name}.json`);
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).results : {};
}

/** @param {string} name @param {object} content */
function write(name, content) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(content, null, 2)}\n`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  await sideBySide({ words: process.argv.slice(2) });
