// What a person sees: little drawings of who sends what to whom, ticks and crosses. Colours on a terminal only.
import { styleText } from 'node:util';

/** Off after Ctrl+C: what the scenes then find missing is no news. */
let silent = false;

export const silence = () => {
  silent = true;
};

/** @param {string} line */
export const print = (line) => {
  if (!silent) console.log(line);
};

const colours = process.stdout.isTTY && !process.env.NO_COLOR;
const paint = (/** @type {Parameters<typeof styleText>[0]} */ format) => (/** @type {string} */ text) =>
  colours ? styleText(format, text) : text;

export const good = paint('green');
export const bad = paint('red');
export const faint = paint('dim');
export const heading = paint('bold');
const warn = paint('yellow');

/** @param {string} text */
export const tick = (text) => `   ${good('✓')} ${text}`;
/** @param {string} text */
export const cross = (text) => `   ${bad('✗')} ${text}`;
/** @param {string} text */
export const remark = (text) => `   ${warn('·')} ${text}`;
/** @param {string} text */
export const aside = (text) => `     ${faint(text)}`;

/** @param {unknown} text */
export const quote = (text) => `"${text}"`;

/**
 * An error's message without the hint in brackets and the message's id, which a spectator has no use for.
 *
 * @param {string} message
 */
export const short = (message) =>
  message.replace(/ \([^()]*\)$/, '').replace(/message [\da-f-]{36}/, 'the message');

/**
 * Lines such as `producer ──"Hello World!"──▶ queue hello ──▶ consumer`. `sent` are the messages, one line each;
 * `place` is the queue or exchange; `receivers` are those behind it, each with what it got.
 *
 * @param {{ from?: string, sent: readonly string[], place: string, receivers: readonly string[], least?: number }} facts
 */
export function picture({ from = 'producer', sent, place, receivers, least = 0 }) {
  const width = Math.max(least, ...sent.map((text) => text.length));
  /** @param {string} text */
  const arrow = (text) => `──${text.padEnd(width, '─')}──▶`;
  const left = sent.map((text, row) => `${row === 0 ? from : ' '.repeat(from.length)} ${arrow(text)}`);
  const right = receivers.map((text, row) => `${fork(row, receivers.length)} ${text}`);
  const blank = ' '.repeat(left[0].length);
  return Array.from({ length: Math.max(left.length, right.length) }, (_, row) => {
    const middle = row === 0 ? ` ${place} ` : ' '.repeat(place.length + 2);
    return `     ${faintArrows(`${left[row] ?? blank}${middle}${right[row] ?? ''}`.trimEnd())}`;
  });
}

/** @param {number} row @param {number} rows */
function fork(row, rows) {
  if (rows === 1) return '──▶';
  return row === 0 ? '─┬─▶' : row === rows - 1 ? ' └─▶' : ' ├─▶';
}

/** @param {string} text */
const faintArrows = (text) => text.replace(/[─┬├└▶]+/g, (arrow) => faint(arrow));
