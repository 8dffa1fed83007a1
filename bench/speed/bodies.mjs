// What the messages hold, and the proof that each came once and whole. Both sides of every measurement use it, so
// that all contenders do the same work.

/** @param {number} index */
const line = (index) => ({ sku: `sku-${index}`, count: index + 1, price: 1999 + index });

/**
 * Makes numbered objects whose JSON has about that many bytes. What does not change is shared among them.
 *
 * @param {number} size
 */
export function bodies(size) {
  const lines = Array.from({ length: size > 1000 ? 60 : 2 }, (_, index) => line(index));
  /** @param {number} n @param {string} note */
  const body = (n, note) => ({ n, customer: 'c-4711', currency: 'EUR', express: false, lines, note });
  const note = 'x'.repeat(Math.max(0, size - JSON.stringify(body(10_000, '')).length));
  return (/** @type {number} */ n) => body(n, note);
}

/** Counts numbered messages; `problem` says what was wrong with them, if anything. */
export class Numbered {
  seen = 0;
  /** @type {string | undefined} */
  problem;
  #each;
  #note;

  /** @param {number} limit @param {number} size */
  constructor(limit, size) {
    this.#each = new Uint8Array(limit);
    this.#note = bodies(size)(0).note;
  }

  /** @param {ReturnType<ReturnType<typeof bodies>>} body */
  take({ n, note, lines }) {
    if (this.#each[n] !== 0) this.problem ??= `message ${n} came twice, or was never sent`;
    if (note !== this.#note || !Array.isArray(lines)) this.problem ??= `message ${n} is not what was sent`;
    this.#each[n] = 1;
    this.seen++;
  }
}

/**
 * A promise of a library in the form of a callback, which the bare clients have.
 *
 * @template T
 * @param {Promise<T>} promise
 * @param {(error: unknown, value?: T) => void} settled
 */
export function done(promise, settled) {
  promise.then((value) => settled(null, value), settled);
}
