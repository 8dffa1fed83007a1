// The chart of docs/performance.md, written by hand as SVG: for each case a bar for each contender, as long as its CPU
// per message compared with tuned amqplib. Its greys are readable on white and on black, and it needs no font or script.

/**
 * @typedef {import('../../tools/docs/performance.mjs').Result} Result
 * @typedef {import('../../tools/docs/performance.mjs').Cell} Cell
 */

const LABEL = 280;
const PLOT = 520;
const BAR = 9;
const GAP = 14;
const MOST = 4;
/** @type {Record<string, string>} */
const colours = {
  warren: '#e8590c',
  'warren-amqp': '#f4a261',
  bare: '#15aabf',
  'amqplib-naive': '#868e96',
  golevelup: '#4c78a8',
  'nest-transport': '#b279a2',
  'rabbitmq-client': '#54a24b',
};

/**
 * The picture as text.
 *
 * @param {Result} result
 */
export function chart({ cases, contenders, date, rabbitmq, node }) {
  // Without a ratio there is nothing to draw.
  const rows = cases.filter(
    ({ group, cells }) =>
      ['publish', 'consume', 'rpc'].includes(group) &&
      Object.values(cells).some(({ ratio }) => ratio !== undefined),
  );
  const shown = contenders.filter(({ key }) => key in colours);
  const height = 62 + rows.length * (shown.length * BAR + GAP) + 30;
  /** @param {number} ratio */
  const x = (ratio) => LABEL + (Math.min(ratio, MOST) / MOST) * PLOT;
  const top = 54;
  const bottom = height - 34;
  const lines = [0, 0.5, 1, 2, 3, 4].flatMap((at) => [
    `<line x1="${x(at)}" x2="${x(at)}" y1="${top}" y2="${bottom}" class="${at === 1 ? 'one' : 'grid'}"/>`,
    `<text x="${x(at)}" y="${bottom + 14}" class="small" text-anchor="middle">${at}</text>`,
  ]);
  const bars = rows.map((row, index) => {
    const y = top + 6 + index * (shown.length * BAR + GAP);
    const title = `<text x="${LABEL - 8}" y="${y + (shown.length * BAR) / 2 + 4}" text-anchor="end">${escape(row.title)}</text>`;
    return [title, ...shown.map(({ key }, place) => bar(row.cells[key], key, y + place * BAR, x))].join('\n');
  });
  const about = `× tuned amqplib, lower is better; ${date}, RabbitMQ ${rabbitmq}, Node ${node}`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${LABEL + PLOT + 60} ${height}" role="img" aria-label="CPU per message compared with tuned amqplib">
<style>
  text { font: 12px system-ui, sans-serif; fill: #768390; }
  .small { font-size: 10px; }
  .strong { font-weight: 700; }
  .grid { stroke: #8c959f; stroke-opacity: 0.3; }
  .one { stroke: #8c959f; stroke-width: 1.5; stroke-dasharray: 4 3; }
</style>
<text x="8" y="16"><tspan class="strong">CPU per message</tspan><tspan class="small" dx="10">${escape(about)}</tspan></text>
${legend(shown)}
${lines.join('\n')}
${bars.join('\n')}
</svg>
`;
}

/** @param {Cell | undefined} cell @param {string} key @param {number} y @param {(ratio: number) => number} x */
function bar(cell, key, y, x) {
  if (cell?.ratio === undefined) return '';
  const { ratio } = cell;
  const strong = key === 'warren' ? ' strong' : '';
  const more = ratio > MOST ? ' →' : '';
  return `<rect x="${x(0)}" y="${y}" width="${(x(ratio) - x(0)).toFixed(1)}" height="${BAR - 1.5}" fill="${colours[key]}"/>
<text x="${x(ratio) + 4}" y="${y + BAR - 2}" class="small${strong}">${ratio.toFixed(2)}${more}</text>`;
}

/** @param {Result['contenders']} shown */
function legend(shown) {
  let at = 8;
  return shown
    .map(({ key, title, version }) => {
      const text = `${title} ${version}`;
      const mark = `<rect x="${at}" y="28" width="10" height="10" fill="${colours[key]}"/><text x="${at + 14}" y="37" class="small${key === 'warren' ? ' strong' : ''}">${escape(text)}</text>`;
      at += 26 + Math.round(text.length * 5.6);
      return mark;
    })
    .join('\n');
}

/** @param {string} text */
const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
