// Values that JSON cannot carry to a process: `{ "$": "circular" }` on the way in becomes a circular object there.

const made = {
  circular: () => {
    const value = {};
    value.self = value;
    return value;
  },
  bigint: () => 1n,
  undefined: () => undefined,
  function: () => () => 'code',
  'long text': () => 'x'.repeat(300),
  'huge text': () => 'x'.repeat(200_000),
};

/** The value that is meant; what is in objects and lists is found as well. */
export function madeOf(value) {
  if (Array.isArray(value)) return value.map(madeOf);
  if (typeof value !== 'object' || value === null) return value;
  if (Object.hasOwn(value, '$')) return made[value.$]();
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, madeOf(each)]));
}

/** A value as a short text, whatever it is. */
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
