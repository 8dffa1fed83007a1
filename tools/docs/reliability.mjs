// Tables of docs/reliability.md from docs/reliability/*.json, which the fault runs write: the page shows what was
// measured and nothing else. A file that is not there yet makes no table.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../run.mjs';

/**
 * @typedef {import('./performance.mjs').Table} Table
 * @typedef {{ key: string, title: string, version?: string }} System
 * @typedef {{ silent: number | null, back: number }} Pause in s; null: for good
 */

/**
 * What one run of a trial counted: most are numbers of messages or calls.
 *
 * @typedef {Record<string, number> & { sends: Pause, handles: Pause, memory?: number[], exit?: { ms: number | null } }} Figures
 */

/**
 * @typedef {keyof typeof heads} Kind
 * @typedef {{ kind: Kind } & Record<string, Figures>} Trial
 * @typedef {{ date: string, node: string, rabbitmq: string, processors: number, systems: readonly System[], results: Record<string, Trial> }} Faults
 */

/**
 * @typedef {{ says: string, clear?: boolean }} Judged
 * @typedef {{ systems: readonly System[], results: Record<string, Record<string, Record<string, Judged>>> }} BadInputs
 */

const inputs = {
  deliveries: 'a consumer receives',
  requests: 'an RPC server is asked',
  replies: 'a caller is answered with',
  publishes: 'a publisher is given',
};
const sentences = { messages: underMessages, calls: underCalls, endings: atTheEnd };
const heads = { messages: 'messages under way', calls: 'calls under way', endings: 'a process ends' };

/**
 * What the table says about the figures of one run.
 *
 * @param {Kind} kind
 * @param {Figures} figures
 */
export const sentenceOf = (kind, figures) => sentences[kind](figures);

/**
 * The tables by their names; `table(heads, rows)` makes one.
 *
 * @param {Table} table
 */
export function reliabilityTables(table) {
  return {
    ...faultTables(measured('warren'), table, 'faults'),
    ...faultTables(measured('faults'), table, 'peers'),
    ...badTables(measured('bad-inputs'), table),
  };
}

/** @param {string} name */
function measured(name) {
  const path = join(root, 'docs', 'reliability', `${name}.json`);
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
}

// The version stands after the name: `golevelup 9.0.2, its defaults`.
/** @param {readonly System[]} systems */
const columns = (systems) =>
  systems.map(({ title, version }) => (version ? title.replace(/^[^,]+/, `$& ${version}`) : title));

/** @param {Faults | undefined} faults @param {Table} table @param {string} prefix */
function faultTables(faults, table, prefix) {
  if (faults === undefined) return {};
  const { results } = faults;
  const systems = faults.systems.filter(({ key }) => Object.values(results).some((each) => key in each));
  const kinds = /** @type {Kind[]} */ (Object.keys(heads));
  const made = kinds.map((kind) => [
    `${prefix}-${kind}`,
    table(
      [heads[kind], ...columns(systems)],
      Object.entries(results)
        .filter(([, each]) => each.kind === kind)
        .map(([name, each]) => [
          name,
          ...systems.map(({ key }) => (each[key] ? sentences[kind](each[key]) : 'n/a')),
        ]),
    ),
  ]);
  const { node, rabbitmq, processors, date } = faults;
  const where = `Measured on ${date}: RabbitMQ ${rabbitmq}, Node ${node}, ${processors} processors.`;
  return { ...Object.fromEntries(made), [`${prefix}-where`]: where };
}

/** @param {boolean} bad @param {string} text */
const bold = (bad, text) => (bad ? `**${text}**` : text);
/** @param {number} count @param {string} text */
const some = (count, text) => (count > 0 ? [text] : []);
/** @param {Figures} figures */
const crashed = ({ crashes }) => some(crashes, `**crashed ${crashes} ×**`);

/** @param {Figures} figures */
function underMessages(figures) {
  const { sent, lost, rejected, rejectedButArrived, unknown, toldUnrouted, unsettled, stranded } = figures;
  const { dead, meanwhile, sends, handles, memory, leaks = 0 } = figures;
  const { falselyRejected: wrongly = rejectedButArrived - Math.min(unknown, rejectedButArrived) } = figures;
  const about = [...some(unknown, `${unknown} as unknown`), ...some(wrongly, `${wrongly} had arrived`)].join(
    ', ',
  );
  return [
    bold(lost > 0, `lost ${lost}`),
    ...some(rejected, `rejected ${rejected} of ${sent}${about ? ` (${about})` : ''}`),
    ...some(toldUnrouted, `told unroutable ${toldUnrouted}`),
    ...some(unsettled, `**never settled ${unsettled}**`),
    ...some(stranded, `**left in the queue ${stranded}**`),
    ...some(dead, `dead letters ${dead}`),
    ...twice(figures),
    ...some(figures.wrongAttempts, `**attempts wrong of ${figures.wrongAttempts}**`),
    ...crashed(figures),
    ...some(meanwhile, `${meanwhile} handled meanwhile`),
    ...some(leaks, `**password in ${leaks} lines**`),
    `sends ${back(sends)}, handles ${back(handles)}`,
    ...(memory ? [`memory ${memory.join(' → ')} MiB`] : []),
  ].join('; ');
}

/** @param {Figures} figures */
function twice({ duplicates, handedBack = duplicates, unexplained = 0 }) {
  if (!(duplicates > 0)) return [];
  const other = duplicates - handedBack - unexplained;
  const about = [
    ...some(other, `${other} as a second copy`),
    ...some(unexplained, `**${unexplained} unexplained**`),
  ];
  return [`twice ${duplicates}${about.length > 0 ? ` (${about.join(', ')})` : ''}`];
}

/** @param {Pause} pause */
function back({ silent, back: seconds }) {
  if (silent === null) return '**never again**';
  return seconds === 0 ? 'on' : `after ${seconds.toFixed(1)} s`;
}

/** @param {Figures} figures */
function underCalls(figures) {
  const { calls, failed, slowestFailure, wrong, unsettled, after, exit } = figures;
  return [
    failed === 0
      ? `all ${calls} answered`
      : `failed ${failed} of ${calls}, the slowest after ${slowestFailure} ms`,
    ...some(wrong, `**${wrong} with the answer of another**`),
    ...some(unsettled, `**never settled ${unsettled}**`),
    ...crashed(figures),
    ...(after === undefined || after === 10 ? [] : [`**then ${after} of 10**`]),
    ...(exit ? [ended(exit)] : []),
  ].join('; ');
}

/** @param {Figures} figures */
function atTheEnd(figures) {
  const { lost, begunAfter, duplicates, rejected, rejectedButArrived, unsettled, sent, exit, runs } = figures;
  return [
    bold(lost > 0, `lost ${lost}`),
    ...some(runs, `ran ${runs} times, then a dead letter`),
    ...some(begunAfter, `**${begunAfter} begun after the signal**`),
    ...some(duplicates, `handled twice ${duplicates}`),
    ...some(rejected, `rejected ${rejected} of ${sent}`),
    ...some(rejectedButArrived, `**${rejectedButArrived} of them had arrived**`),
    ...some(unsettled, `**never settled ${unsettled}**`),
    ...(exit ? [ended(exit)] : []),
  ].join('; ');
}

/** @param {{ ms: number | null }} exit */
const ended = ({ ms }) =>
  ms === null ? '**had not ended after 15 s**' : `ended in ${(ms / 1_000).toFixed(1)} s`;

/** @param {BadInputs | undefined} bad @param {Table} table */
function badTables(bad, table) {
  if (bad === undefined) return {};
  const { systems, results } = bad;
  const made = Object.entries(inputs).map(([kind, head]) => [
    `bad-${kind}`,
    table(
      [head, ...columns(systems)],
      Object.entries(results[kind]).map(([input, each]) => [
        input,
        ...systems.map(({ key }) => cell(each[key])),
      ]),
    ),
  ]);
  const summary = Object.entries(inputs).map(([kind, head]) => [
    head,
    ...systems.map(({ key }) => {
      const judged = Object.values(results[kind]).filter((each) => typeof each[key]?.clear === 'boolean');
      return `${judged.filter((each) => each[key].clear).length} of ${judged.length}`;
    }),
  ]);
  return {
    ...Object.fromEntries(made),
    'bad-summary': table(['clear outcomes', ...columns(systems)], summary),
  };
}

// What is not a clear outcome stands out. Texts of libraries are shown as text.
/** @param {Judged | undefined} judged */
function cell(judged) {
  if (judged === undefined) return 'not run';
  const safe = judged.says.replace(/[<>*_]/g, (sign) => `\\${sign}`);
  return bold(judged.clear === false, safe);
}
