// The table of docs/rpc.md from docs/reliability/calls.json, which `npm run faults -- --calls` writes. One cell
// for both brokers where they differ in times alone.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../run.mjs';

const BAD = /^never settled|crashed|no good call|could not be measured/;
const FIGURE = /\b\d+(\.\d+)? m?s\b|at most \d+|\b\d+ items/g;

/**
 * What `npm run faults -- --calls` writes.
 *
 * @typedef {object} Measured
 * @property {readonly { key: string, title: string, version?: string }[]} systems
 * @property {readonly Broker[]} brokers
 * @property {readonly { group: string, name: string, says: Says }[]} results
 * @property {string} node
 * @property {string} rabbitmq
 * @property {number} processors
 * @property {string} date
 */

/** @typedef {{ key: string, title: string }} Broker */

/** @typedef {Readonly<Record<string, string>>} Says what was seen, by `<system> <broker>` */

/**
 * The tables by their names; `table(heads, rows)` makes one.
 *
 * @param {(heads: readonly string[], rows: readonly (readonly string[])[]) => string} table
 * @returns {Record<string, string>}
 */
export function callTables(table) {
  const path = join(root, 'docs', 'reliability', 'calls.json');
  if (!existsSync(path)) return {};
  /** @type {Measured} */
  const { systems, brokers, results, node, rabbitmq, processors, date } = JSON.parse(
    readFileSync(path, 'utf8'),
  );
  const heads = systems.map(({ title, version }) => `${title}${version ? ` ${version}` : ''}`);
  const groups = [...new Set(results.map(({ group }) => group))];
  const rows = groups.flatMap((group) => [
    [`**${group}**`, ...systems.map(() => '')],
    ...results
      .filter((each) => each.group === group)
      .map(({ name, says }) => [name, ...systems.map(({ key }) => cell(says, key, brokers))]),
  ]);
  return {
    calls: table(['situation', ...heads], rows),
    'calls-where':
      `Measured on ${date} with Node ${node} on ${processors} processors. Where two figures stand, the first is of the ` +
      `embedded broker, the second of RabbitMQ ${rabbitmq}.`,
  };
}

/** @param {Says} says @param {string} key @param {readonly Broker[]} brokers */
function cell(says, key, brokers) {
  const each = brokers.map((broker) => says[`${key} ${broker.key}`]);
  const [first, second] = each.map((text) => text.replace(FIGURE, '#'));
  if (first === second) return bold(together(each));
  return brokers.map(({ title }, at) => `${title}: ${bold(each[at])}`).join('<br>');
}

// What is different in both, side by side: `after 4 ms / 6 ms`.
/** @param {readonly string[]} both */
function together([one, other]) {
  const second = other.match(FIGURE) ?? [];
  let at = 0;
  return one.replace(FIGURE, (first) => {
    const its = second[at++] ?? first;
    return its === first ? first : `${first} / ${its.replace('at most ', '')}`;
  });
}

// Code cannot be bold in part, so the words after it are.
/** @param {string} text */
const bold = (text) =>
  BAD.test(text) ? text.replace(/(never settled|crashed|no good call.*)$/, '**$1**') : text;
