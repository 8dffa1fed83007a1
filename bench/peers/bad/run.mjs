// Throws the same bad inputs at each system and collects what became of them.
import { Arena } from './arena.mjs';
import { endAll } from '../harness/child.mjs';
import { delivery, deliveries } from './deliveries.mjs';
import { openPublishes, publish, publishes } from './publishes.mjs';
import { openReplies, replies, reply } from './replies.mjs';
import { openRequests, request, requests } from './requests.mjs';
import { systems } from '../harness/systems.mjs';

/**
 * @typedef {import('./arena.mjs').Judgement} Judgement
 * @typedef {import('./arena.mjs').Role} Role
 * @typedef {(arena: Arena) => Promise<void>} Open
 */

/**
 * Inputs for one role, each with its judge; `open` puts up what they need.
 *
 * @typedef {object} Kind
 * @property {Role} role
 * @property {{ name: string, judge: (arena: Arena) => Promise<Judgement> }[]} inputs
 * @property {Open} [open]
 */

/**
 * What stands in a cell, by kind, input and system.
 *
 * @typedef {Record<string, Record<string, { says: string, clear?: boolean }>>} Cells
 */

/** @type {Record<string, Kind>} */
const kinds = {
  deliveries: kind('consumer', deliveries, delivery),
  requests: kind('rpc-server', requests, request, openRequests),
  replies: kind('rpc-client', replies, reply, openReplies),
  publishes: kind('producer', publishes, publish, openPublishes),
};

/**
 * @template {{ name: string }} Input
 * @param {Role} role
 * @param {readonly Input[]} inputs
 * @param {(arena: Arena, input: Input) => Promise<Judgement>} judge
 * @param {Open} [open]
 * @returns {Kind}
 */
function kind(role, inputs, judge, open) {
  const judged = inputs.map((input) => ({
    name: input.name,
    judge: (/** @type {Arena} */ arena) => judge(arena, input),
  }));
  return { role, inputs: judged, open };
}

/**
 * `vhost(name)` makes a fresh virtual host and resolves with its URL, `only(kind, system)` chooses; so many systems run
 * `atOnce`.
 *
 * @typedef {object} Choice
 * @property {(name: string) => Promise<string>} vhost
 * @property {(line: string) => void} say
 * @property {(kind: string, system: string) => boolean} [only]
 * @property {number} [atOnce]
 */

/**
 * Resolves with `{ <kind>: { <input>: { <system>: { says, clear } } } }`.
 *
 * @param {Choice} choice
 */
export async function badInputs({ vhost, say, only = () => true, atOnce = 2 }) {
  /** @type {Record<string, Cells>} */
  const results = {};
  /** @type {(() => Promise<void>)[]} */
  const work = [];
  for (const [kind, { inputs }] of Object.entries(kinds)) {
    results[kind] = Object.fromEntries(inputs.map(({ name }) => [name, {}]));
    for (const system of systems.filter(({ key }) => only(kind, key))) {
      work.push(() => meet(kind, system, vhost, results[kind], say));
    }
  }
  try {
    const next = async () => {
      for (let each = work.shift(); each; each = work.shift()) await each();
    };
    await Promise.all(Array.from({ length: atOnce }, next));
  } finally {
    await endAll();
  }
  return results;
}

/**
 * @param {string} kind
 * @param {import('../harness/systems.mjs').System} system
 * @param {Choice['vhost']} vhost
 * @param {Cells} results
 * @param {Choice['say']} say
 */
async function meet(kind, system, vhost, results, say) {
  const { role, inputs, open } = kinds[kind];
  const arena = new Arena(system, role, await vhost(`${kind}-${system.key}`));
  try {
    await arena.open(open);
    for (const input of inputs) {
      const judged = await input.judge(arena);
      const result = judged.hung ? { ...judged, clear: false } : judged;
      const says = sentence(result);
      results[input.name][system.key] = {
        says,
        ...(result.clear === undefined ? {} : { clear: result.clear }),
      };
      say(`${system.title}: ${kind}: ${input.name}: ${says}`);
      // The next input meets a process that nothing has happened to.
      if (result.clear === false || arena.child.ended) await arena.start();
    }
  } finally {
    await arena.close();
  }
}

/**
 * A result as it stands in a cell.
 *
 * @param {Judgement} judgement
 */
function sentence({ outcome, hurt, late, hung }) {
  const after = [];
  if (hurt) after.push(`${hurt} of 4 good ones failed with it`);
  if (late) after.push(`good ones again after ${(late / 1000).toFixed(1)} s`);
  if (hung) after.push('the next good one failed');
  return [outcome, ...after].join('; ');
}
