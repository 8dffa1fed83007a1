// The benchmark: every case for every contender, in fresh processes, interleaved over the rounds, on one private
// broker. A round's figures are compared with tuned amqplib and with the bare client of the same round, then the median of all rounds is taken.
import { availableParallelism, cpus } from 'node:os';
import { endAll } from './process.mjs';
import { cases, sizes } from './cases.mjs';
import { between } from '../embedded/measure.mjs';
import { measure } from './measure.mjs';
import { brokers, contenders, versionOf } from './packages.mjs';
import { Stand } from './stand.mjs';

/**
 * @typedef {import('./cases.mjs').Case} Case
 * @typedef {import('./packages.mjs').Player} Player
 * @typedef {Record<string, any> & { error?: string }} Figures
 */

/**
 * What is measured: cases, contenders, rounds.
 *
 * @typedef {{ picked: readonly Case[], players: readonly Player[], rounds: number, quick: boolean }} Choice
 */

const YARDSTICK = 'amqplib-tuned';
const FLOOR = 'bare';

/**
 * Those that are asked for; with `quick` one of each kind. `only` and `who` are words of their names; a word that is the
 * whole key of a case means that one alone.
 *
 * @param {{ quick: boolean, only: readonly string[], who: readonly string[] }} words
 */
export function chosen({ quick, only, who }) {
  /** @param {string} names @param {readonly string[]} words */
  const some = (names, words) => words.length === 0 || words.some((word) => names.includes(word));
  const whole = only.filter((word) => cases.some(({ key }) => key === word));
  const words = only.filter((word) => !whole.includes(word));
  const picked = cases.filter(({ group, key, title, between: two, quick: fast }) => {
    if (two !== undefined && who.length > 0) return false;
    if (quick && only.length === 0 && !fast) return false;
    if (whole.length > 0 && (whole.includes(key) || words.length === 0)) return whole.includes(key);
    return some(`${group} ${key} ${title}`.toLowerCase(), words);
  });
  /** @param {string} key */
  const named = (key) => who.length === 0 || who.includes(key);
  // Who asks for cases means all who can do them.
  const asked = only.length === 0 ? picked : picked.map((one) => ({ ...one, quick: true }));
  return { picked: asked, players: contenders.filter(({ key }) => named(key)) };
}

/**
 * Starts the broker and measures all; resolves with everything that docs/performance/bench.json holds.
 *
 * @param {Choice & { command: string, say: (line: string) => void, onStand: (stop: () => Promise<void>) => void }} options
 */
export async function bench({ picked, players, rounds, quick, command, say, onStand }) {
  const stand = await Stand.start();
  let stopped = false;
  const stop = async () => {
    stopped = true;
    await endAll();
    await stand.stop();
  };
  onStand(stop);
  try {
    const facts = {
      date: new Date().toISOString().slice(0, 10),
      command,
      rounds,
      peerRounds: peerRounds(rounds),
      node: process.versions.node,
      rabbitmq: stand.version,
      processors: availableParallelism(),
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      contenders: players.map((each) => ({ key: each.key, title: each.title, version: versionOf(each) })),
      ...(picked.some(isBetween) && {
        brokers: brokers.map((each) => ({
          key: each.key,
          title: each.title,
          version: each.in ? versionOf(each) : stand.version,
        })),
      }),
    };
    const found = await allRounds({ stand, picked, players, rounds, quick, say, over: () => stopped });
    return { ...facts, cases: picked.map((one) => summary(one, found.get(one.key) ?? [])) };
  } finally {
    await stop();
  }
}

/**
 * By case, by round, by contender: the figures or the error.
 *
 * @param {Choice & { stand: Stand, say: (line: string) => void, over: () => boolean }} options
 */
async function allRounds({ stand, picked, players, rounds, quick, say, over }) {
  /** @type {Map<string, Record<string, Figures>[]>} */
  const found = new Map(picked.map(({ key }) => [key, []]));
  /** @param {Case} one @param {number} round */
  const order = (one, round) =>
    playersOf(one, players, quick).filter((each) => round < roundsOf(one, each, rounds));
  const total = picked.reduce(
    (sum, one) => sum + Array.from({ length: rounds }, (_, round) => order(one, round)).flat().length,
    0,
  );
  let done = 0;
  for (let round = 0; round < rounds; round++) {
    for (const one of picked) {
      /** @type {Record<string, Figures>} */
      const row = {};
      // The other way round each time, so that nobody always comes after the same neighbour.
      const turns = round % 2 === 0 ? order(one, round) : order(one, round).toReversed();
      for (const player of turns) {
        row[player.key] = await cell(stand, quick, one, player);
        // What an interrupt cuts off is no figure; its handler ends this process.
        if (over()) return new Promise(() => {});
        done++;
        say(`[${done}/${total}] ${one.title}, ${player.title}: ${brief(row[player.key])}`);
      }
      if (turns.length > 0) found.get(one.key)?.push(row);
    }
  }
  return found;
}

/** Two of three. @param {number} rounds */
const peerRounds = (rounds) => Math.ceil((rounds * 2) / 3);
/** @param {Case} one @param {Player} player @param {number} rounds */
const roundsOf = (one, { peer }, rounds) =>
  Math.min(one.rounds ?? rounds, peer ? peerRounds(rounds) : rounds);
/** @param {Case} one */
const isBetween = ({ between }) => between !== undefined;
/** @param {Case} one @param {readonly Player[]} players @param {boolean} quick */
function playersOf(one, players, quick) {
  /** @param {Player} player */
  const can = ({ key, only = one.key }) => only === one.key && (!one.only || one.only.includes(key));
  const able = isBetween(one) ? brokers : players.filter(can);
  const { quick: few } = one;
  return quick && Array.isArray(few) ? able.filter(({ key }) => few.includes(key)) : able;
}

/**
 * @param {Stand} stand
 * @param {boolean} quick
 * @param {Case} one
 * @param {Player} player
 * @returns {Promise<Figures>}
 */
async function cell(stand, quick, one, player) {
  const counts = quick ? sizes.quick : sizes.full;
  try {
    if (one.between) return await between(one.between, counts.brokers, player.key, stand.node);
    return await measure(stand, counts, one, player);
  } catch (error) {
    return { error: error.message };
  }
}

/** @param {Figures} figures */
function brief({ error, cpu, rate, p50, p99, p999, delay, longest, ms, rss, bytes }) {
  if (error) return `ERROR ${error}`;
  const figures = [
    cpu !== undefined && `${cpu.toFixed(1)} µs`,
    rate && `${Math.round(rate)}/s`,
    p50 && `p50 ${p50.toFixed(2)} ms`,
    p99 && `p99 ${p99.toFixed(2)} ms, p99.9 ${p999.toFixed(2)} ms`,
    delay !== undefined && `event loop p99 ${delay.toFixed(1)} ms, longest ${longest.toFixed(1)} ms`,
    ms && `${Math.round(ms)} ms`,
    rss && `${Math.round(rss / 2 ** 20)} MiB`,
    bytes && `${Math.round(bytes)} B each`,
  ];
  return figures.filter(Boolean).join(', ');
}

/**
 * Medians over the rounds, and the ratios to the yardstick of the same round: their median, and each of them. `floor` is the
 * same to the bare client.
 *
 * @param {Pick<Case, 'key' | 'group' | 'title' | 'figure' | 'count'>} one
 * @param {readonly Record<string, Figures>[]} rows
 */
export function summary({ key, group, title, figure = 'cpu', count }, rows) {
  const keys = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cells = keys.map((player) => {
    const all = rows.flatMap((row) => row[player] ?? []);
    // Who fails in one round has figures of the others, and a note.
    const mine = all.filter(({ error }) => !error);
    const error = all.find((each) => each.error)?.error;
    if (mine.length === 0) return [player, { error }];
    const failed = all.length - mine.length;
    const figures = FIGURES.flatMap((name) => {
      const values = mine.map((each) => each[name]).filter((value) => value !== undefined);
      return values.length > 0 ? [[name, rounded(median(values))]] : [];
    });
    const notes = { rounds: all.length, ...(failed > 0 && { failed, why: error }) };
    const sides = mine.some(({ server }) => server) && {
      sides: { client: compared(rows, player, 'client'), server: compared(rows, player, 'server') },
    };
    return [
      player,
      { ...Object.fromEntries(figures), ...compared(rows, player, figure), ...sides, ...notes },
    ];
  });
  return { key, group, title, figure, ...(count && { count }), cells: Object.fromEntries(cells) };
}

const FIGURES = [
  ...['cpu', 'client', 'server', 'rate', 'p50', 'p99', 'p999', 'delay', 'longest', 'ms', 'rss', 'bytes'],
];

/** Names of figures that have another one in `cases`. @type {Record<string, string>} */
const measuredAs = { mb: 'rss' };

/** @param {readonly Record<string, Figures>[]} rows @param {string} player @param {string} figure */
function compared(rows, player, figure) {
  const name = measuredAs[figure] ?? figure;
  /** @param {string} other */
  const to = (other) =>
    rows.flatMap((row) => {
      const value = row[player]?.[name] / row[other]?.[name];
      return Number.isFinite(value) ? [value] : [];
    });
  const ratios = to(YARDSTICK);
  const floors = to(FLOOR);
  return {
    ...(ratios.length > 0 && { ratio: twoPlaces(median(ratios)), ratios: ratios.map(twoPlaces) }),
    ...(floors.length > 0 && { floor: twoPlaces(median(floors)) }),
  };
}

/** @param {number} value */
const twoPlaces = (value) => Number(value.toFixed(2));

/** @param {readonly number[]} values */
function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** @param {number} value */
const rounded = (value) => (value >= 1000 ? Math.round(value) : Number(value.toPrecision(4)));
