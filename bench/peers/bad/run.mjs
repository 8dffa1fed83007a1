// Throws the same bad inputs at each system and collects what became of them.
import { Arena } from './arena.mjs';
import { endAll } from '../harness/child.mjs';
import { delivery, deliveries } from './deliveries.mjs';
import { openPublishes, publish, publishes } from './publishes.mjs';
import { openReplies, replies, reply } from './replies.mjs';
import { openRequests, request, requests } from './requests.mjs';
import { systems } from '../harness/systems.mjs';

/** The four kinds, each with its role, its inputs and its judge. */
const kinds = {
  deliveries: { role: 'consumer', inputs: deliveries, judge: delivery },
  requests: { role: 'rpc-server', inputs: requests, judge: request, open: openRequests },
  replies: { role: 'rpc-client', inputs: replies, judge: reply, open: openReplies },
  publishes: { role: 'producer', inputs: publishes, judge: publish, open: openPublishes },
};

/**
 * `vhost(name)` makes a fresh virtual host and resolves with its URL. Resolves with
 * `{ <kind>: { <input>: { <system>: { says, clear } } } }`.
 */
export async function badInputs({ vhost, say, only = () => true, atOnce = 2 }) {
  const results = {};
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

async function meet(kind, system, vhost, results, say) {
  const { role, inputs, judge, open } = kinds[kind];
  const arena = new Arena(system, role, await vhost(`${kind}-${system.key}`));
  try {
    await arena.open(open);
    for (const input of inputs) {
      const judged = await judge(arena, input);
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

/** A result as it stands in a cell. */
function sentence({ outcome, hurt, late, hung }) {
  const after = [];
  if (hurt) after.push(`${hurt} of 4 good ones failed with it`);
  if (late) after.push(`good ones again after ${(late / 1000).toFixed(1)} s`);
  if (hung) after.push('the next good one failed');
  return [outcome, ...after].join('; ');
}
