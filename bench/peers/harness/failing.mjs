// Which numbers a failing handler cannot do. The handler's process and the judge must agree on it, and neither keeps
// anything for it, so that a process that was killed fails in the same way when it is back.

/**
 * Never works: ends as a dead letter.
 *
 * @param {number} n
 */
export const forGood = (n) => n % 50 === 7;

/**
 * Works the second time.
 *
 * @param {number} n
 */
export const once = (n) => n % 10 === 3;

/**
 * Whether the handler throws. Some systems do not tell it the attempt.
 *
 * @param {number} n
 * @param {number} [attempt]
 */
export const fails = (n, attempt) => forGood(n) || (once(n) && attempt === 1);
