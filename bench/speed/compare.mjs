// Which ratios of a run differ from those of an earlier one by more than the noise: the distance between the lowest and the
// highest ratio of the rounds, in that run of the two where it is larger. Ratios to tuned amqplib of the same round survive
// another machine and its load; µs do not.

/** @typedef {import('../../tools/docs/performance.mjs').Result} Result */

/** Of which contenders a larger ratio is a failure. */
const OURS = ['warren', 'warren-amqp'];

/** Ratios have two places. */
const LEAST = 0.01;

/**
 * @typedef {object} Move
 * @property {string} title the case
 * @property {string} contender
 * @property {number} before
 * @property {number} now
 * @property {number} noise
 */

/**
 * What moved, the largest first; `worse` is what of that is Warren's and costs more now; `unknown` are ratios whose noise
 * is not known, since one of both runs had one round; `missing` are cases that the earlier run did not have.
 *
 * @param {Result} before
 * @param {Result} now
 */
export function compare(before, now) {
  /** @type {Move[]} */
  const moved = [];
  /** @type {string[]} */
  const unknown = [];
  const titles = (/** @type {Result} */ { cases }) => cases.map(({ title }) => title);
  for (const { title, cells } of now.cases) {
    const old = before.cases.find((each) => each.title === title);
    for (const [contender, { ratio, ratios = [] }] of Object.entries(old ? cells : {})) {
      const was = old?.cells[contender];
      if (ratio === undefined || was?.ratio === undefined) continue;
      const noise = Math.max(spread(ratios), spread(was.ratios ?? []), LEAST);
      if (Math.min(ratios.length, was.ratios?.length ?? 0) < 2) unknown.push(`${title}, ${contender}`);
      else if (Math.abs(ratio - was.ratio) > noise + Number.EPSILON) {
        moved.push({ title, contender, before: was.ratio, now: ratio, noise });
      }
    }
  }
  moved.sort((a, b) => Math.abs(b.now - b.before) - Math.abs(a.now - a.before));
  const worse = moved.filter((move) => OURS.includes(move.contender) && move.now > move.before);
  const missing = titles(now).filter((title) => !titles(before).includes(title));
  return { moved, worse, unknown, missing };
}

/** @param {readonly number[]} ratios */
const spread = (ratios) => (ratios.length === 0 ? 0 : Math.max(...ratios) - Math.min(...ratios));

/**
 * The same in words, a line for each.
 *
 * @param {Result} before
 * @param {Result} now
 */
export function compared(before, now) {
  const { moved, unknown, missing } = compare(before, now);
  const facts = (/** @type {Result} */ { date, rabbitmq, node }) =>
    `${date}, RabbitMQ ${rabbitmq}, Node ${node}`;
  return [
    `Ratios to tuned amqplib, compared with those of ${facts(before)}:`,
    ...moved.map(
      ({ title, contender, before: was, now: is, noise }) =>
        `  ${title}, ${contender}: ${was.toFixed(2)} -> ${is.toFixed(2)}, noise ${noise.toFixed(2)}`,
    ),
    ...(moved.length === 0 ? ['  none moved by more than the noise'] : []),
    ...(unknown.length > 0 ? [`  ${unknown.length} not compared: one round does not tell the noise`] : []),
    ...missing.map((title) => `  ${title}: not measured then`),
  ];
}
