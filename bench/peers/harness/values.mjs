// Values that JSON cannot carry to a process: `{ "$": "circular" }` on the way in becomes a circular object there.

/** @type {Record<string, () => unknown>} */
const made = {
  circular: () => {
    const value = {};
    return Object.assign(value, { self: value });
  },
  bigint: () => 1n,
  undefined: () => undefined,
  function: () => () => 'code',
  'long text': () => 'x'.repeat(300),
  'huge text': () => 'x'.repeat(200_000),
};

/**
 * The value that is meant; what is in objects and lists is found as well.
 *
 * @param {unknown} value
 * @returns {unknown}
 */
export function madeOf(value) {
  if (Array.isArray(value)) return value.map(madeOf);
  if (typeof value !== 'object' || value === null) return value;
  if (Object.hasOwn(value, '$')) return made[/** @type {{ $: string }} */ (value).$]();
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, madeOf(each)]));
}

/**
 * A value as a short text, whatever it is.
 *
 * @param {unknown} value
 */
export function shown(value) {
  if (value instanceof Error) return `${value.name}: ${value.message}`.slice(0, 200);
  if (Buffer.isBuffer(value)) return `<${value.length} bytes>`;
  if (typeof value === 'string') return value.slice(0, 200);
  try {
    return String(JSON.stringify(value) ?? value).slice(0, 200);
  } catch {
    return `<${typeof value}>`;
  }
}
