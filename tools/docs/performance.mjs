// Tables of docs/performance.md from docs/performance/bench.json, which `npm run bench` writes: the page shows what was
// measured and nothing else. The benchmark prints the same tables.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../run.mjs';

/**
 * A table as text.
 *
 * @typedef {(heads: readonly string[], rows: readonly (readonly string[])[]) => string} Table
 */

/** @typedef {{ ratio?: number, floor?: number }} Ratios */

/**
 * What was measured of one contender in one case: times in µs of processor time or ms, memory in bytes.
 *
 * @typedef {object} Cell
 * @property {string} [error]
 * @property {number} cpu
 * @property {number} rate
 * @property {number} p50
 * @property {number} p99
 * @property {number} p999
 * @property {number} delay of the event loop, in 99 of 100 cases
 * @property {number} longest delay
 * @property {number} ms
 * @property {number} rss
 * @property {number} bytes
 * @property {number} [ratio] to tuned amqplib of the same round, the median
 * @property {readonly number[]} [ratios] of each round
 * @property {number} [floor] to the bare client
 * @property {number} [client] of a call, in its own process
 * @property {number} [server]
 * @property {{ client: Ratios, server: Ratios }} [sides] the ratios of these two
 * @property {number} [failed]
 */

/**
 * @typedef {{ key: string, title: string, version: string }} Contender
 * @typedef {{ group: string, title: string, cells: Record<string, Cell> }} Case
 * @typedef {(cell: Cell, key: string) => string} Show
 */

/**
 * @typedef {object} Result
 * @property {string} date
 * @property {string} command
 * @property {number} rounds
 * @property {number} [peerRounds] of contenders that nothing is compared with
 * @property {string} node
 * @property {string} rabbitmq
 * @property {number} processors
 * @property {string} cpu
 * @property {readonly Contender[]} contenders
 * @property {readonly Contender[]} [brokers] what cases of the group `brokers` compare
 * @property {readonly Case[]} cases
 */

const YARDSTICK = 'amqplib-tuned';
const FLOOR = 'bare';

/** Tables of cases that are newer than the last full run have no rows before the next one. */
const NEWER = ['bench-sides', 'bench-half', 'bench-delay', 'bench-held', 'bench-brokers'];
const UNKNOWN = 'Not measured yet: the next full run of `npm run bench` writes this table.';

/**
 * The tables by their names; `table(heads, rows)` makes one. None before the first run.
 *
 * @param {Table} table
 */
export function performanceTables(table) {
  const path = join(root, 'docs', 'performance', 'bench.json');
  if (!existsSync(path)) return {};
  const tables = made(JSON.parse(readFileSync(path, 'utf8')), table);
  return { ...Object.fromEntries(NEWER.map((name) => [name, UNKNOWN])), ...tables };
}

/**
 * All of them as one text, for a terminal.
 *
 * @param {Result} result
 */
export function tablesOf(result) {
  /** @type {Table} */
  const table = (heads, rows) => {
    const widths = heads.map((_, index) =>
      Math.max(...[heads, ...rows].map((row) => [...row[index]].length)),
    );
    /** @param {readonly string[]} cells */
    const line = (cells) => `| ${cells.map((cell, index) => cell.padEnd(widths[index])).join(' | ')} |`;
    return [line(heads), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
  };
  return Object.values(made(result, table)).join('\n\n');
}

/** @param {Result} result @param {Table} table @returns {Record<string, string>} */
function made(result, table) {
  const { contenders, brokers = [], cases } = result;
  /** @param {string[]} groups */
  const of = (...groups) => cases.filter(({ group }) => groups.includes(group));
  /** @param {readonly Case[]} rows */
  const columns = (rows) =>
    [...contenders, ...brokers].filter(({ key }) => rows.some(({ cells }) => key in cells));
  /** @param {string} head @param {readonly Case[]} rows @param {Show} cell @param {string} [none] */
  const grid = (head, rows, cell, none) => {
    if (rows.length === 0) return [];
    const shown = columns(rows);
    const lines = rows.map((row) => [
      row.title,
      ...shown.map(({ key }) => text(row.cells[key], cell, key, none)),
    ]);
    return [table([head, ...shown.map(({ title, version }) => `${title} ${version}`)], lines)];
  };
  const messages = of('publish', 'consume', 'rpc');
  const tables = {
    'bench-cpu': grid('CPU per message', messages, costs),
    'bench-sides': grid('CPU of a call', sidesOf(messages), costs),
    'bench-rate': grid('messages a second', messages, ({ rate }) => thousands(rate)),
    'bench-latency': grid('median latency', messages.filter(has('p50')), ({ p50 }) => `${p50.toFixed(2)} ms`),
    'bench-half': grid('p50 / p99 / p99.9', of('half'), percentiles),
    'bench-delay': grid('p99 / longest delay', of('delay'), delays),
    'bench-start': grid('start', of('start'), ({ ms }) => `${Math.round(ms)} ms`),
    'bench-memory': grid('memory', of('memory'), ({ rss }) => `${Math.round(rss / 2 ** 20)} MiB`),
    'bench-held': grid('memory of', of('held'), ({ bytes }) => `${Math.round(bytes)} B`),
    'bench-brokers': grid('messages a second (CPU of the broker)', of('brokers'), brokered),
    'bench-growth': grid('CPU per message', of('growth'), ({ cpu }) => `${cpu.toFixed(1)} µs`, ''),
    'bench-where': [where(result)],
  };
  return Object.fromEntries(Object.entries(tables).flatMap(([name, [each]]) => (each ? [[name, each]] : [])));
}

/**
 * A row for the client of a call and one for its server, where these are two processes.
 *
 * @param {readonly Case[]} rows
 */
const sidesOf = (rows) =>
  rows
    .filter(({ cells }) => Object.values(cells).some(({ sides }) => sides))
    .flatMap((row) =>
      /** @type {const} */ (['client', 'server']).map((side) => {
        const cells = Object.entries(row.cells).map(([key, { sides, [side]: cpu, ...cell }]) =>
          sides && cpu !== undefined
            ? [key, { ...cell, floor: undefined, ...sides[side], cpu }]
            : [key, cell],
        );
        const title = `${row.title.replace('RPC, two processes, ', '')}, ${side}`;
        return { ...row, title, cells: Object.fromEntries(cells) };
      }),
    );

/** @param {keyof Cell} name @returns {(row: Case) => boolean} */
const has =
  (name) =>
  ({ cells }) =>
    Object.values(cells).some((cell) => cell[name] !== undefined);

/** @param {Cell | undefined} cell @param {Show} show @param {string} key @param {string} [none] what a missing cell is */
function text(cell, show, key, none = 'n/a') {
  if (cell === undefined) return none;
  return cell.error ? `error: ${cell.error}` : show(cell, key);
}

/** @param {Cell} cell @param {string} key */
function costs({ cpu, ratio, floor, failed }, key) {
  const micros = `${cpu.toFixed(1)} µs${failed ? `, without ${failed} failed` : ''}`;
  const ratios = [key !== YARDSTICK && ratio, key !== FLOOR && floor].flatMap((each) =>
    typeof each === 'number' ? [each.toFixed(2)] : [],
  );
  return ratios.length === 0 ? micros : `${ratios.join(' / ')} (${micros})`;
}

/** @param {Cell} cell */
function percentiles({ p50, p99, p999, rate }) {
  const [middle, most, nearly] = [p50, p99, p999].map((each) => each.toFixed(each < 10 ? 2 : 0));
  return `${middle} / ${most} / ${nearly} ms, ${thousands(rate)} a second`;
}

/** @param {Cell} cell */
const delays = ({ delay, longest }) => `${delay.toFixed(1)} / ${longest.toFixed(1)} ms`;

/** @param {Cell} cell */
const brokered = ({ rate, cpu }) => `${thousands(rate)}${cpu === undefined ? '' : ` (${cpu.toFixed(1)} µs)`}`;

/** @param {number} rate */
const thousands = (rate) => (rate >= 10_000 ? `${Math.round(rate / 1000)} 000` : String(Math.round(rate)));

/** @param {Result} result */
function where({ date, node, rabbitmq, processors, cpu, command, rounds, peerRounds = rounds }) {
  const fewer = peerRounds < rounds ? `, of ${peerRounds} for naive amqplib and other libraries` : '';
  return `Measured on ${date} with \`${command}\`: RabbitMQ ${rabbitmq}, Node ${node}, ${processors} processors (${cpu}), ${rounds === 1 ? 'one round' : `medians of at most ${rounds} rounds`}${fewer}.`;
}
