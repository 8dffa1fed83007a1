// What the handlers of the situations do, by name. The request says which: `{ do: 'wait', ms: 300 }`.
import { setTimeout as pause } from 'node:timers/promises';
import { inspect } from 'node:util';

/**
 * @typedef {import('../program.mjs').Print} Print
 * @typedef {import('../program.mjs').Exceptions} Exceptions
 */

/**
 * A request. `do` names a behaviour, `ms` is how long it takes; `n` is found again in what the server says.
 *
 * @typedef {{ do: string, ms?: number, n?: number | string }} Asked
 */

/**
 * A request for a stream: so many items, one `every` ms, with an error instead of item `failAt`.
 *
 * @typedef {{ count: number, failAt?: number, every?: number }} Items
 */

/**
 * What a handler has: a `signal` where the system gives it one, a way to `call` on, and the `exceptions` of Nest that are
 * installed.
 *
 * @typedef {object} About
 * @property {AbortSignal} [signal]
 * @property {(body: Asked, timeout: number) => Promise<unknown>} call
 * @property {Exceptions} exceptions
 */

/** @typedef {(body: Asked, about: About) => unknown} Behaviour */

/** An error class that both sides register, where a system knows of such a thing. */
export class OutOfStock extends Error {
  /** @override */
  name = 'OutOfStock';
  /** @param {number} left */
  constructor(left) {
    super('out of stock');
    this.left = left;
  }
}

const values = {
  value: () => ({ price: 7 }),
  undefined: () => undefined,
  null: () => null,
  0: () => 0,
  false: () => false,
  'empty text': () => '',
  bytes: () => Buffer.from([0, 1, 254, 255]),
  '10 MiB': () => 'x'.repeat(10 * 1024 * 1024),
  circular: () => {
    const value = {};
    return Object.assign(value, { self: value });
  },
  bigint: () => 1n,
};

/**
 * By their names.
 *
 * @param {Print} print
 * @returns {Record<string, Behaviour>}
 */
export function behaviours(print) {
  /** @param {(about: About) => unknown} make @returns {Behaviour} */
  const thrower = (make) => (_, about) => {
    throw make(about);
  };
  return {
    ...values,
    Error: thrower(() => new Error('the password is 1234')),
    OutOfStock: thrower(() => new OutOfStock(3)),
    RpcException: thrower(({ exceptions }) => new exceptions.RpcException('not today')),
    HttpException: thrower(({ exceptions }) => new exceptions.HttpException('no such order', 404)),
    text: thrower(() => 'just a text'),
    object: thrower(() => ({ reason: 'just an object' })),
    never: () => new Promise(() => {}),
    async wait({ ms }, { signal }) {
      signal?.addEventListener('abort', () => print({ event: 'aborted' }));
      await pause(ms);
      return 'waited';
    },
    async nested(_, { call }) {
      const began = performance.now();
      const ended = (/** @type {string} */ outcome) =>
        print({ event: 'nested', outcome, ms: Math.round(performance.now() - began) });
      try {
        return await call({ do: 'wait', ms: 2_500 }, 5_000).finally(() => {});
      } catch (error) {
        ended(error.name);
        throw error;
      } finally {
        ended('over');
      }
    },
  };
}

/**
 * Numbers from 1 to `count`, as fast as they are asked for.
 *
 * @param {Items} items
 * @param {Print} print
 */
export async function* numbers({ count, failAt, every = 0 }, print) {
  try {
    for (let n = 1; n <= count; n++) {
      if (n === failAt) throw new Error('the password is 1234');
      print({ event: 'yielded', n, at: Date.now() });
      yield n;
      await pause(every);
    }
  } finally {
    print({ event: 'finally', at: Date.now() });
  }
}

/**
 * A value as it stands in the table, whatever it is.
 *
 * @param {unknown} value
 */
export function seen(value) {
  if (typeof value === 'string' && value.length > 100) return `a text of ${value.length} characters`;
  return inspect(value, { breakLength: Infinity, depth: 2 }).slice(0, 120);
}
