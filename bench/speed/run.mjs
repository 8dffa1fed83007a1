// The benchmark: every case for every contender, in fresh processes, interleaved over the rounds, on one private
// broker. A round's figures are compared with tuned amqplib of the same round, then the median of all rounds is taken.
import { availableParallelism, cpus } from 'node:os';
import { endAll } from './process.mjs';
import { cases, sizes } from './cases.mjs';
import { measure } from './cells.mjs';
import { contenders, versionOf } from './packages.mjs';
import { Stand } from './stand.mjs';

const YARDSTICK = 'amqplib-tuned';

/** Those that are asked for; with `quick` one of each kind. `only` and `who` are words of their names. */
export function chosen({ quick, only, who }) {
  const some = (names, words) => words.length === 0 || words.some((word) => names.includes(word));
  const picked = cases.filter(({ group, key, title, quick: fast }) => {
    if (quick && only.length === 0 && !fast) return false;
    return some(`${group} ${key} ${title}`.toLowerCase(), only);
  });
  const named = (key) => who.length === 0 || who.includes(key);
  return { picked, players: contenders.filter(({ key }) => named(key)) };
}

/** Starts the broker and measures all; resolves with everything that docs/performance/bench.json holds. */
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
      node: process.versions.node,
      rabbitmq: stand.version,
      processors: availableParallelism(),
      cpu: cpus()[0]?.model.trim() ?? 'unknown',
      contenders: players.map((each) => ({ key: each.key, title: each.title, version: versionOf(each) })),
    };
    const found = await allRounds({ stand, picked, players, rounds, quick, say, over: () => stopped });
    return { ...facts, cases: picked.map((one) => summary(one, found.get(one.key))) };
  } finally {
    await stop();
  }
}

/** By case, by round, by contender: the figures or the error. */
async function allRounds({ stand, picked, players, rounds, quick, say, over }) {
  const found = new Map(picked.map(({ key }) => [key, []]));
  const total = picked.reduce((sum, one) => sum + roundsOf(one, rounds) * playersOf(one, players).length, 0);
  let done = 0;
  for (let round = 0; round < rounds; round++) {
    for (const one of picked.filter((each) => round < roundsOf(each, rounds))) {
      const row = {};
      const order = playersOf(one, players);
      // Another one begins each round, so that nobody always comes after the same neighbour.
      for (let index = 0; index < order.length; index++) {
        const player = order[(index + round) % order.length];
        row[player.key] = await cell(stand, quick, one, player);
        // What an interrupt cuts off is no figure; its handler ends this process.
        if (over()) return new Promise(() => {});
        done++;
        say(`[${done}/${total}] ${one.title}, ${player.title}: ${brief(one, row[player.key])}`);
      }
      found.get(one.key).push(row);
    }
  }
  return found;
}

const roundsOf = (one, rounds) => Math.min(one.rounds ?? rounds, rounds);
const playersOf = (one, players) => players.filter(({ key }) => !one.only || one.only.includes(key));

async function cell(stand, quick, one, player) {
  try {
    return await measure(stand, quick ? sizes.quick : sizes.full, one, player);
  } catch (error) {
    return { error: error.message };
  }
}

function brief({ figure }, { error, cpu, rate, p50, ms, rss, late }) {
  if (error) return `ERROR ${error}`;
  const figures = [
    figure !== 'ms' && `${cpu.toFixed(1)} µs`,
    rate && `${Math.round(rate)}/s`,
    p50 && `p50 ${p50.toFixed(2)} ms`,
    ms && `${Math.round(ms)} ms`,
    rss && `${Math.round(rss / 2 ** 20)} MiB`,
    late,
  ];
  return figures.filter(Boolean).join(', ');
}

/** Medians over the rounds, and the median of the ratios to the yardstick of the same round. */
export function summary({ key, group, title, figure = 'cpu', count }, rows) {
  const keys = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cells = keys.map((player) => {
    const all = rows.map((row) => row[player]);
    // Who fails in one round has figures of the others, and a note.
    const mine = all.filter(({ error }) => !error);
    const error = all.find((each) => each.error)?.error;
    if (mine.length === 0) return [player, { error }];
    const failed = all.length - mine.length;
    const figures = ['cpu', 'client', 'server', 'rate', 'p50', 'ms', 'rss'].flatMap((name) => {
      const values = mine.map((each) => each[name]).filter((value) => value !== undefined);
      return values.length > 0 ? [[name, rounded(median(values))]] : [];
    });
    const notes = failed > 0 ? { failed, why: error } : {};
    return [player, { ...Object.fromEntries(figures), ...ratio(rows, player, figure), ...notes }];
  });
  return { key, group, title, figure, ...(count && { count }), cells: Object.fromEntries(cells) };
}

const measuredAs = { cpu: 'cpu', ms: 'ms', mb: 'rss' };

function ratio(rows, player, figure) {
  const name = measuredAs[figure];
  const ratios = rows.flatMap((row) => {
    const value = row[player]?.[name] / row[YARDSTICK]?.[name];
    return Number.isFinite(value) ? [value] : [];
  });
  return ratios.length > 0 ? { ratio: Number(median(ratios).toFixed(2)) } : {};
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const rounded = (value) => (value >= 1000 ? Math.round(value) : Number(value.toPrecision(4)));
