// Small checks of option values, put together in option-table.ts. Each says what the value should be, or
// nothing when it is that.

import { milliseconds, type Duration } from './duration.js';
import { messagesPerSecond, type Rate } from './rate.js';

// The known name that a mistyped name probably means.

/** The known name that is most like `given`; undefined when none is. Case, dashes and underscores do not matter. */
export function nearest(given: string, known: readonly string[]): string | undefined {
  const plain = (text: string): string => text.toLowerCase().replace(/[-_\s]/g, '');
  const wanted = plain(given.slice(0, 60));
  const [best] = known
    .map((name) => ({ name, far: distance(wanted, plain(name)) }))
    .sort((one, other) => one.far - other.far);
  return best && best.far <= Math.max(1, Math.floor(best.name.length / 3)) ? best.name : undefined;
}

/** How many characters must be changed, added, left out or swapped with the next to make one text of the other. */
function distance(one: string, other: string): number {
  let before: number[] = [];
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const changed = row[j - 1] + (one[i - 1] === other[j - 1] ? 0 : 1);
      const isSwap = j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      const swapped = isSwap ? before[j - 2] + 1 : Infinity;
      next.push(Math.min(changed, swapped, row[j] + 1, next[j - 1] + 1));
    }
    before = row;
    row = next;
  }
  return row[other.length];
}

/** What is wrong inside a value, at a path such as `.attempts` or `[0].key`. */
export type Finding =
  | { readonly path: string; readonly must: string; readonly value: unknown }
  | { readonly path: string; readonly unknown: string; readonly known: readonly string[] };

/** What is wrong with a value, as the end of "must be ...", or what is wrong inside it; or nothing. */
export type Check = (value: unknown) => string | Finding | undefined;

/** A check of a value that has no inside. */
export type PlainCheck = (value: unknown) => string | undefined;

export const bool: PlainCheck = (value) => (typeof value === 'boolean' ? undefined : 'true or false');
export const text: PlainCheck = (value) =>
  typeof value === 'string' && value !== '' ? undefined : 'a non-empty string';
/** What AMQP takes for a name. */
export const name: PlainCheck = (value) =>
  isName(value, 255) ? undefined : 'a string of 1 to 255 bytes without line breaks';
/** Names of queues begin with it. */
export const serviceName: PlainCheck = (value) =>
  isName(value, 200) ? undefined : 'a string of 1 to 200 bytes without line breaks';
// RabbitMQ leaves line breaks out of names: others would find another queue.
function isName(value: unknown, most: number): boolean {
  return (
    typeof value === 'string' && value !== '' && Buffer.byteLength(value) <= most && !/[\0\r\n]/.test(value)
  );
}

/** Where a stream is read from. RabbitMQ ends the connection (3.10) for a text that is none of these. */
export const streamOffset: PlainCheck = (value) => {
  const known =
    (typeof value === 'string' && /^(first|last|next|[1-9]\d{0,8}[smhDMY])$/.test(value)) ||
    (value instanceof Date && !Number.isNaN(value.getTime())) ||
    (Number.isSafeInteger(value) && (value as number) >= 0);
  return known
    ? undefined
    : "'first', 'last', 'next', an integer from 0, a Date, or an interval such as '30s', '5m', '1h', '7D', '1M' (months), '1Y'";
};
export const object: PlainCheck = (value) =>
  typeof value === 'object' && value !== null ? undefined : 'an object';
export const list: PlainCheck = (value) => (Array.isArray(value) ? undefined : 'an array');
export const anyString: PlainCheck = (value) => (typeof value === 'string' ? undefined : 'a string');
/** A list of at least this many, each of which passes. */
export const listOf = (check: Check, of: string, least = 1): Check => {
  return (value) => {
    if (!Array.isArray(value) || value.length < least) return `an array of ${of}`;
    return firstWrong(value.map((one, at) => [`[${at}]`, one, check]));
  };
};
export const above = (least: number): PlainCheck => {
  return (value) =>
    Number.isFinite(value) && (value as number) > least ? undefined : `a number above ${least}`;
};
export const oneOf = (...names: readonly string[]): PlainCheck => {
  return (value) =>
    names.includes(value as string) ? undefined : names.map((name) => `'${name}'`).join(' or ');
};
export const whole = (min: number, max: number): PlainCheck => {
  return (value) =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max
      ? undefined
      : `an integer between ${min} and ${max}`;
};
export const duration: PlainCheck = (value) => {
  try {
    milliseconds(value as Duration, 'it');
    return undefined;
  } catch {
    return "a duration such as 5000, '5s', '2m'";
  }
};
export const rate: PlainCheck = (value) => {
  try {
    messagesPerSecond(value as Rate, 'it');
    return undefined;
  } catch {
    return "a rate such as '100/s', '30/m', '500/h'";
  }
};
/** One of them passes. What is wrong inside the value tells more than what else it could be. */
export const either = (...checks: readonly Check[]): Check => {
  return (value) => {
    const wanted = checks.map((check) => check(value));
    if (wanted.includes(undefined)) return undefined;
    const inner = wanted.filter((one) => typeof one === 'object');
    const words = wanted.filter((one) => typeof one === 'string');
    return inner.find((one) => 'must' in one) ?? inner[0] ?? words.join(', or ');
  };
};
/** All of these must be there, and nothing else. */
export const exactly = (rows: Readonly<Record<string, Check>>): Check => {
  const check = inside(rows);
  return (value) => {
    const wrong = check(value);
    if (wrong) return wrong;
    const given = value as Readonly<Record<string, unknown>>;
    const missing = Object.keys(rows).filter((name) => given[name] === undefined);
    return firstWrong(missing.map((name) => [`.${name}`, undefined, rows[name]]));
  };
};
/** An object, or an instance of a class, with these members, each of which passes, and any others. */
export const having = (rows: Readonly<Record<string, Check>>, what = 'an object'): Check => {
  return (value) => {
    if (object(value)) return `${what} with ${Object.keys(rows).join(', ')}`;
    const given = value as Readonly<Record<string, unknown>>;
    return firstWrong(Object.entries(rows).map(([name, check]) => [`.${name}`, given[name], check]));
  };
};
export const isFunction: PlainCheck = (value) => (typeof value === 'function' ? undefined : 'a function');
export const isFalse: PlainCheck = (value) => (value === false ? undefined : 'false');
/** An object with none but these members, each of which passes or is undefined. */
export const inside = (rows: Readonly<Record<string, Check>>): Check => {
  const known = Object.keys(rows);
  return (value) => {
    if (object(value) || Array.isArray(value)) return `an object with ${known.join(', ')}`;
    const members = Object.entries(value as object);
    const unknown = members.find(([name]) => !known.includes(name))?.[0];
    if (unknown !== undefined) return { path: `.${unknown}`, unknown, known };
    return firstWrong(
      members
        .filter(([, inner]) => inner !== undefined)
        .map(([name, inner]) => [`.${name}`, inner, rows[name]]),
    );
  };
};

/** Types of many libraries are functions: it is `~standard` that makes a schema of them. */
export const schema: PlainCheck = (value) => {
  const held = typeof value === 'object' || typeof value === 'function';
  const standard = held ? (value as { readonly '~standard'?: unknown } | null)?.['~standard'] : undefined;
  const validate = (standard as { readonly validate?: unknown } | null | undefined)?.validate;
  return typeof validate === 'function' ? undefined : 'a Standard Schema (https://standardschema.dev)';
};

// Types of messages are compared in lower case, without their parameters.
const contentType: PlainCheck = (value) =>
  typeof value === 'string' && value !== '' && value === value.toLowerCase() && !/[;\s]/.test(value)
    ? undefined
    : "a content type in lower case without parameters, such as 'application/avro'";

/** One that is broken would make every message undecodable. */
export const codec = having(
  {
    name: text,
    contentTypes: listOf(contentType, 'content types', 0),
    encode: isFunction,
    decode: isFunction,
  },
  'a codec, an object',
);

const bytes: PlainCheck = (value) =>
  typeof value === 'string' || ArrayBuffer.isView(value) ? undefined : 'a string or a Buffer';

/** The option `tls`. */
export const tlsOptions = inside({
  ca: either(bytes, listOf(bytes, 'strings or Buffers', 0)),
  cert: bytes,
  key: bytes,
  pfx: bytes,
  passphrase: anyString,
  servername: text,
  rejectUnauthorized: bool,
  minVersion: oneOf('TLSv1.2', 'TLSv1.3'),
  maxVersion: oneOf('TLSv1.2', 'TLSv1.3'),
  ciphers: text,
});

/** User and password, both. */
export const credentials = exactly({ username: text, password: anyString });

/** The first of these parts of a value that does not pass, with its path. */
function firstWrong(
  parts: readonly (readonly [path: string, value: unknown, check: Check])[],
): Finding | undefined {
  for (const [path, value, check] of parts) {
    const wrong = check(value);
    if (typeof wrong === 'string') return { path, must: wrong, value };
    if (wrong) return { ...wrong, path: path + wrong.path };
  }
  return undefined;
}
