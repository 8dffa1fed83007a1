// Runs the faults one after the other, each for all systems at the same time: the same broker dies under all of them,
// and the machine is as busy for one as for the others.
import { endAll } from '../harness/child.mjs';
import { systems } from '../harness/systems.mjs';
import { calling, underCalls } from './calls.mjs';
import { endings } from './endings.mjs';
import { messaging, underStream } from './messaging.mjs';
import { Trial } from './trial.mjs';

/**
 * @typedef {import('../harness/broker.mjs').Broker} Broker
 * @typedef {import('../harness/systems.mjs').System} System
 * @typedef {import('./calls.mjs').World} World
 * @typedef {import('./promises.mjs').Figures} Figures
 */

/**
 * A fault of any kind. `run(fault, world)` knows the rest of its own kind; it runs for several systems at the same time and
 * resolves with `{ [system]: figures }`.
 *
 * @typedef {object} Fault
 * @property {string} name
 * @property {string} kind messages, endings or calls
 * @property {import('./trial.mjs').Extra} [settings]
 * @property {boolean} [needsExchange]
 * @property {(fault: any, world: World) => Promise<Record<string, Figures>>} run
 */

/**
 * The kind of the fault, and the figures of each system by its key.
 *
 * @typedef {Record<string, unknown>} Row
 */

/** @type {Fault[]} */
const faults = [
  ...messaging.map((fault) => ({ ...fault, kind: 'messages', run: underStream })),
  ...endings.map((fault) => ({ ...fault, kind: 'endings' })),
  ...calling.map((fault) => ({ ...fault, kind: 'calls', run: underCalls })),
];

/** Each once, as a careful user has it. */
export const compared = systems.filter(({ settings }) => settings.careful !== false);

/**
 * `say(line)` is told of each fault, `only(name)` chooses, `of` are the systems, and `more` faults come after those that all
 * systems meet.
 *
 * @typedef {object} Choice
 * @property {Broker} broker
 * @property {(line: string) => void} say
 * @property {(name: string) => boolean} [only]
 * @property {readonly System[]} [of]
 * @property {readonly Fault[]} [more]
 */

/**
 * Resolves with `{ [fault]: { [system]: figures } }`.
 *
 * @param {Choice} choice
 */
export async function runFaults({ broker, say, only = () => true, of = compared, more = [] }) {
  /** @type {Record<string, Row>} */
  const results = {};
  try {
    for (const [at, fault] of [...faults, ...more].entries()) {
      if (!only(fault.name)) continue;
      const began = performance.now();
      results[fault.name] = await one(fault, at, of, broker);
      say(`${fault.name} (${((performance.now() - began) / 1000).toFixed(0)} s)`);
      for (const { key, title } of of)
        say(`  ${title}: ${JSON.stringify(results[fault.name][key] ?? 'n/a')}`);
    }
  } finally {
    await endAll();
  }
  return results;
}

/** @param {Fault} fault @param {number} at @param {readonly System[]} compared @param {Broker} broker */
async function one(fault, at, compared, broker) {
  // Nest's transport has a queue and no exchange to miss.
  const able = compared.filter(({ frame }) => !(fault.needsExchange && frame));
  const trials = [];
  for (const system of able) {
    const trial = new Trial(system, await broker.vhost(`fault-${at}-${system.key}`));
    await trial.open(fault.settings);
    trials.push(trial);
  }
  const figures = await fault.run(fault, { broker, trials });
  await broker.settled();
  await Promise.all(trials.map(({ vhost }) => broker.removeVhost(vhost)));
  return { kind: fault.kind, ...Object.fromEntries(able.map(({ key }) => [key, figures[key]])) };
}
