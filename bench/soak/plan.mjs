// What the producer of the soak run sends, and what must become of it: the same for the same seed.
import { randomOf } from '../peers/faults/schedule.mjs';

/** By the kind of their messages. */
export const QUEUES = {
  work: 'soak.work',
  classic: 'soak.classic',
  dependent: 'soak.dependent',
  dependentClassic: 'soak.dependent.classic',
  event: 'soak.event',
  ordered: 'soak.ordered',
  batch: 'soak.batch',
  stream: 'soak.stream',
};

/** @typedef {keyof typeof QUEUES} Kind */

/**
 * Few attempts for what must end as a dead letter, many for what must outlive a dependency that is away for long.
 *
 * @satisfies {Record<string, import('@warren/amqp').RetryOptions>}
 */
export const RETRIES = {
  few: { attempts: 3, delays: ['300ms', '1s'] },
  many: { attempts: 1_000, delays: ['300ms', '1s', '5s'] },
};

/**
 * The reason that a dead letter of a plan must carry; the others must be handled.
 *
 * @type {Record<string, string | undefined>}
 */
export const DEAD = { reject: 'rejected', exhaust: 'attempts-exhausted' };

/** @type {[kind: Kind, weight: number][]} */
const WEIGHTS = [
  ['work', 22],
  ['classic', 12],
  ['dependent', 10],
  ['dependentClassic', 6],
  ['event', 15],
  ['ordered', 20],
  ['batch', 10],
  ['stream', 5],
];
const FAILING = ['ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'slow', 'once', 'later', 'exhaust', 'reject'];
/** @type {import('@warren/amqp').Duration[]} */
const DELAYS = ['500ms', '2s', '5s'];

/**
 * `plan(n)` says kind, plan, key and delay of message n. Called with 0, 1, 2, ...
 *
 * @param {number} seed
 * @returns {(n: number) => { kind: Kind, plan: string, key?: string, delay?: import('@warren/amqp').Duration }}
 */
export function planOf(seed) {
  const random = randomOf(seed);
  /** @template T @param {readonly T[]} list */
  const of = (list) => list[Math.floor(random() * list.length)];
  const sum = WEIGHTS.reduce((all, [, weight]) => all + weight, 0);
  return () => {
    let at = random() * sum;
    const kind = WEIGHTS.find(([, weight]) => (at -= weight) < 0)?.[0] ?? 'work';
    if (kind === 'dependent' || kind === 'dependentClassic') return { kind, plan: 'dependent' };
    if (kind === 'ordered') return { kind, plan: 'ok', key: `key-${Math.floor(random() * 6)}` };
    if (kind === 'batch' || kind === 'stream') return { kind, plan: 'ok' };
    return { kind, plan: of(FAILING), ...(random() < 0.15 ? { delay: of(DELAYS) } : {}) };
  };
}
