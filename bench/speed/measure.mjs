// One measurement of one contender in one case. Rejects when its work was not done, and then the cell of the table is an
// error.
import { call, consume, handlers, pending, publish, shared, short, startUp, through } from './cells.mjs';
import { batches, failing, ordered, spread } from './handling-cells.mjs';
import { half, held, items } from './load-cells.mjs';
import { Contender } from './process.mjs';

/**
 * @typedef {import('./cells.mjs').Case} Case
 * @typedef {import('./cells.mjs').Player} Player
 * @typedef {import('./cells.mjs').Parts} Parts
 * @typedef {import('./cells.mjs').Sizes} Sizes
 * @typedef {import('./cells.mjs').Start} Start
 * @typedef {import('./cells.mjs').Stand} Stand
 */

/** Of calls; the ones that nobody answers outlast the measurement. */
const DEADLINE = 120_000;

/**
 * Measures; `sizes` are those of cases.mjs. Resolves with what the contender's process found.
 *
 * @param {Stand} stand
 * @param {Sizes} sizes
 * @param {Case} one
 * @param {Player} contender
 */
export async function measure(stand, sizes, one, contender) {
  const queue = stand.name();
  /** @type {Parts['used']} */
  const used = { queues: [queue, `${queue}.dead`], exchanges: [] };
  /** @type {Contender[]} */
  const children = [];
  /** @type {Start} */
  const start = (job) => {
    const { key } = contender;
    const url = one.tls ? stand.secureUrl : stand.url;
    const common = { contender: key, url, queue, size: one.size, deadline: DEADLINE };
    const child = new Contender({ ...common, ...job }, one.tls ? stand.trust : {});
    children.push(child);
    return child;
  };
  try {
    const run = cells[/** @type {keyof typeof cells} */ (one.run)];
    return await run({ stand, sizes, one, contender, queue, used, start });
  } finally {
    await Promise.all(children.map((child) => child.kill()));
    await stand.remove(used.queues, used.exchanges);
  }
}

/** How each is measured. */
export const cells = {
  publish,
  consume,
  short,
  call,
  start: startUp,
  through,
  handlers,
  shared,
  pending,
  failing,
  batches,
  ordered,
  spread,
  half,
  held,
  items,
};
