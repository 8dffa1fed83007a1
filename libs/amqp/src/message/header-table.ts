// Header tables between the wire and us. A sender can put things there that JavaScript objects are no match for: keys
// that are prototypes, numbers that cannot be written again, tables as deep as a frame is long. Whatever came must go
// on as well, to a retry or a dead letter: a message that cannot be sent on would come back for ever.

/** Deeper tables are not taken over. */
const MAX_DEPTH = 100;

/** What the client library can write as a table: its own buffer has 64 KiB. */
export const TABLE_BYTES = 65_536;

type Table = Record<string, unknown>;

// Not Buffer.isBuffer: it asks for the prototype, which a table with the key `__proto__` has from its sender.
const isBytes = (value: object): boolean => ArrayBuffer.isView(value);

/**
 * A received value, deeply, as plain data: tables without prototype and without `__proto__`, timestamps as Date.
 *
 * @throws RangeError when it is nested too deep
 */
export function takenOver(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null || isBytes(value)) return value;
  if (depth >= MAX_DEPTH) throw new RangeError(`headers nested deeper than ${MAX_DEPTH} levels`);
  if (Array.isArray(value)) return value.map((inner) => takenOver(inner, depth + 1));
  const table = value as Table;
  const date = table['!'] === 'timestamp' ? new Date(Number(table.value) * 1_000) : undefined;
  if (date && !Number.isNaN(date.getTime())) return date;
  return copyTable(table, (inner) => takenOver(inner, depth + 1));
}

/** What was taken over, as the client library writes it: each number and each table in a form that it does not refuse. */
export function writable(value: unknown): unknown {
  if (typeof value === 'number') return fitsWire(value) ? value : { '!': 'double', value };
  if (typeof value !== 'object' || value === null || isBytes(value)) return value;
  if (value instanceof Date) {
    const seconds = Math.floor(value.getTime() / 1_000);
    return seconds >= 0 ? { '!': 'timestamp', value: seconds } : value.toISOString();
  }
  if (Array.isArray(value)) return value.map(writable);
  if (isDecimal(value as Table)) return value;
  const copy = copyTable(value as Table, writable);
  // The client library reads an own key `!` as the name of a type; an inherited one is only a key.
  return Object.hasOwn(copy, '!') ? Object.create(copy) : copy;
}

/** Bytes of a table on the wire, within a few. */
export function tableBytes(table: object): number {
  let bytes = 4;
  for (const name in table) bytes += 1 + Buffer.byteLength(name) + valueBytes((table as Table)[name]);
  return bytes;
}

function valueBytes(value: unknown): number {
  if (typeof value === 'string') return 5 + Buffer.byteLength(value);
  if (typeof value !== 'object' || value === null) return 9;
  if (ArrayBuffer.isView(value)) return 5 + value.byteLength;
  if (Array.isArray(value)) return value.reduce<number>((sum, inner) => sum + valueBytes(inner), 5);
  return 1 + tableBytes(value);
}

function copyTable(table: Table, take: (value: unknown) => unknown): Table {
  const copy = Object.create(null) as Table;
  for (const name of Object.keys(table)) {
    // Bytes that are no UTF-8 became longer when they were read, and may not fit any more.
    if (name !== '__proto__' && Buffer.byteLength(name) <= 255) copy[name] = take(table[name]);
  }
  return copy;
}

// The client library takes everything from 2^50 for a whole number of 64 bits, and throws when it is none.
function fitsWire(value: number): boolean {
  return Number.isInteger(value) ? value >= -(2 ** 63) : Math.abs(value) < 2 ** 50;
}

function isDecimal(table: Table): boolean {
  const { places, digits } = (table['!'] === 'decimal' && (table.value as Table | null)) || {};
  return Number.isInteger(places) && Number.isInteger(digits);
}
