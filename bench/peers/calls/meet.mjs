// Lets all systems on both brokers meet one situation, at the same time unless it measures a load, and says what each
// caller saw: also whether a process crashed, and how long it took until calls worked again.
import { time } from './sentences.mjs';

/**
 * @typedef {import('./situations.mjs').Situation} Situation
 * @typedef {import('./situations.mjs').Begun} Begun
 * @typedef {import('./stand.mjs').Stand} Stand
 */

/** Nobody notices when calls work again after less than this, in milliseconds. */
const AT_ONCE = 1_000;

/**
 * Resolves with `{ '<system> <broker>': sentence }`.
 *
 * @param {Situation} situation
 * @param {readonly Stand[]} stands
 * @param {readonly import('./brokers.mjs').CallBroker[]} brokers
 * @returns {Promise<Record<string, string>>}
 */
export async function meet(situation, stands, brokers) {
  const able = stands.filter(({ system }) => situation.lacks?.[system.key] === undefined);
  const { replaced, hit } = situation;
  /** @type {Map<Stand, string>} */
  const says = new Map();
  /** @param {Stand} stand @param {Begun} [begun] */
  const one = async (stand, begun) => says.set(stand, await saw(situation, stand, begun));
  for (const stand of able) stand.forget();
  if (replaced) await Promise.all(able.map((stand) => stand.replace(replaced)));
  if (hit) {
    const begun = await Promise.all(able.map((stand) => begins(situation, stand)));
    await Promise.all(brokers.map((broker) => hit(broker)));
    await Promise.all(able.map((stand, at) => one(stand, begun[at])));
    await Promise.all(brokers.map((broker) => broker.settled()));
  } else if (situation.alone) {
    for (const stand of able) await one(stand);
  } else {
    await Promise.all(able.map((stand) => one(stand)));
  }
  await Promise.all(
    able.map(async (stand) => says.set(stand, `${says.get(stand)}${await after(situation, stand)}`)),
  );
  return Object.fromEntries(
    stands.map((stand) => [
      `${stand.system.key} ${stand.broker.key}`,
      says.get(stand) ?? `n/a: ${situation.lacks?.[stand.system.key]}`,
    ]),
  );
}

// A call that cannot even begin is what `run` says, and does not end the others.
/** @param {Situation} situation @param {Stand} stand @returns {Promise<Begun | undefined>} */
async function begins(situation, stand) {
  try {
    return await situation.begin?.(stand);
  } catch (error) {
    return { call: () => Promise.reject(error) };
  }
}

/** @param {Situation} situation @param {Stand} stand @param {Begun} [begun] */
async function saw(situation, stand, begun) {
  try {
    return await situation.run(stand, begun);
  } catch (error) {
    return `could not be measured: ${error.message.slice(0, 200)}`;
  }
}

// The next situation meets processes that are well.
/** @param {Situation} situation @param {Stand} stand */
async function after(situation, stand) {
  const crashed = !situation.spoils && (stand.client.ended || (stand.server.ended && !situation.replaced));
  if (crashed || situation.spoils) {
    await stand.fresh();
    return crashed ? '; crashed' : '';
  }
  if (situation.replaced) await stand.restore();
  const ms = await stand.well();
  if (ms === null) {
    const ended = stand.client.ended || stand.server.ended;
    await stand.fresh();
    return ended ? '; crashed' : '; no good call within 12 s';
  }
  // What a library leaves broken after this may show itself later.
  if (situation.shakes && ms !== null) await stand.fresh();
  return ms > AT_ONCE ? `; good calls again after ${time(Math.round(ms))}` : '';
}
