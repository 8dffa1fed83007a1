// What a caller saw, as a sentence for a cell of the table.

/**
 * @template Value
 * @typedef {import('../harness/child.mjs').Settled<Value>} Settled
 */

/** @param {number} ms */
export const time = (ms) => (ms < 1_000 ? `${ms} ms` : `${(ms / 1_000).toFixed(1)} s`);

// What is different in each run, and advice in brackets, is not what is compared.
/** @param {string} text */
const plain = (text) =>
  text
    .replace(/`/g, "'")
    .replace(/\s+/g, ' ')
    .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, '…')
    .replace(/correlation id [\w-]+\.\w+/, 'correlation id …')
    .replace(/ \((raise|call again|start the|thrown by|send plain|its signal|the sender).*$/, '');

/**
 * The outcome of one call.
 *
 * @param {Settled<unknown> | undefined} settled
 */
export function outcome(settled) {
  if (settled === undefined) return 'never settled';
  const { ok, value, error, ms } = settled;
  return `\`${plain(ok ? String(value) : error)}\` after ${time(ms)}`;
}

/**
 * The outcomes of many: `5000 ok in 1.2 s`.
 *
 * @param {Settled<Record<string, number> | undefined> | undefined} settled
 */
export function outcomes(settled) {
  if (settled === undefined) return 'never settled';
  const each = Object.entries(settled.value ?? { [settled.error]: 1 });
  return `${each.map(([name, count]) => `${count} ${name}`).join(', ')} in ${time(settled.ms)}`;
}

/**
 * What came of a stream.
 *
 * @param {Settled<import('./sides.mjs').Reading> | undefined} settled
 */
export function read(settled) {
  if (settled === undefined) return 'never settled';
  if (!settled.ok) return outcome(settled);
  const { at, error } = settled.value;
  return `${at.length} items${error ? `, then \`${plain(error)}\`` : ''} after ${time(settled.ms)}`;
}
