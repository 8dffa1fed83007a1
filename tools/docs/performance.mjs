// Tables of docs/performance.md from docs/performance/bench.json, which `npm run bench` writes: the page shows what was
// measured and nothing else. The benchmark prints the same tables.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../run.mjs';

const YARDSTICK = 'amqplib-tuned';

/** The tables by their names; `table(heads, rows)` makes one. None before the first run. */
export function performanceTables(table) {
  const path = join(root, 'docs', 'performance', 'bench.json');
  return existsSync(path) ? made(JSON.parse(readFileSync(path, 'utf8')), table) : {};
}

/** All of them as one text, for a terminal. */
export function tablesOf(result) {
  const table = (heads, rows) => {
    const widths = heads.map((_, index) =>
      Math.max(...[heads, ...rows].map((row) => [...row[index]].length)),
    );
    const line = (cells) => `| ${cells.map((cell, index) => cell.padEnd(widths[index])).join(' | ')} |`;
    return [line(heads), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
  };
  return Object.values(made(result, table)).join('\n\n');
}

function made(result, table) {
  const { contenders, cases } = result;
  const of = (...groups) => cases.filter(({ group }) => groups.includes(group));
  const columns = (rows) => contenders.filter(({ key }) => rows.some(({ cells }) => key in cells));
  const grid = (head, rows, cell) => {
    if (rows.length === 0) return [];
    const shown = columns(rows);
    const lines = rows.map((row) => [row.title, ...shown.map(({ key }) => text(row.cells[key], cell, key))]);
    return [table([head, ...shown.map(({ title, version }) => `${title} ${version}`)], lines)];
  };
  const messages = of('publish', 'consume', 'rpc');
  const tables = {
    'bench-cpu': grid('CPU per message', messages, costs),
    'bench-rate': grid('messages a second', messages, ({ rate }) => thousands(rate)),
    'bench-latency': grid('median latency', messages.filter(has('p50')), ({ p50 }) => `${p50.toFixed(2)} ms`),
    'bench-start': grid('start', of('start'), ({ ms }) => `${Math.round(ms)} ms`),
    'bench-memory': grid('memory', of('memory'), ({ rss }) => `${Math.round(rss / 2 ** 20)} MiB`),
    'bench-growth': grid('CPU per message', of('growth'), ({ cpu }) => `${cpu.toFixed(1)} µs`),
    'bench-where': [where(result)],
  };
  return Object.fromEntries(Object.entries(tables).flatMap(([name, [each]]) => (each ? [[name, each]] : [])));
}

const has =
  (name) =>
  ({ cells }) =>
    Object.values(cells).some((cell) => cell[name] !== undefined);

function text(cell, show, key) {
  if (cell === undefined) return '';
  return cell.error ? `error: ${cell.error}` : show(cell, key);
}

function costs({ cpu, ratio, failed }, key) {
  const micros = `${cpu.toFixed(1)} µs${failed ? `, without ${failed} failed` : ''}`;
  return key === YARDSTICK || ratio === undefined ? micros : `${ratio.toFixed(2)} (${micros})`;
}

const thousands = (rate) => (rate >= 10_000 ? `${Math.round(rate / 1000)} 000` : String(Math.round(rate)));

function where({ date, node, rabbitmq, processors, cpu, command, rounds }) {
  return `Measured on ${date} with \`${command}\`: RabbitMQ ${rabbitmq}, Node ${node}, ${processors} processors (${cpu}), ${rounds === 1 ? 'one round' : `medians of ${rounds} rounds`}.`;
}
