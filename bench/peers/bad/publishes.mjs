// What an application may ask to publish by mistake, between good messages. A clear outcome is: an error that names
// it, or the message arrives; and the good ones before and after it are not hurt.
import { OUTCOME, PATIENCE } from './arena.mjs';

/**
 * @typedef {import('./arena.mjs').Arena} Arena
 * @typedef {import('./arena.mjs').Judgement} Judgement
 * @typedef {import('../harness/child.mjs').Settled<string>} Settled
 */

/**
 * `options` are those of a publish, as wrong as may be; `queueOnly: false` where Nest's transport, which has one queue, cannot
 * say it.
 *
 * @typedef {{ name: string, publish: object, options?: Record<string, unknown>, queueOnly?: boolean }} Publish
 */

const body = { n: 0 };
const circular = { $: 'circular' };

/** @type {Publish[]} */
export const publishes = [
  { name: 'circular object', publish: circular },
  { name: 'BigInt', publish: { $: 'bigint' } },
  { name: 'function', publish: { $: 'function' } },
  { name: 'undefined', publish: { $: 'undefined' } },
  { name: 'missing exchange', publish: body, options: { exchange: 'gone' }, queueOnly: false },
  { name: 'key that no queue wants', publish: body, options: { key: 'gone' }, queueOnly: false },
  { name: 'key of 300 bytes', publish: body, options: { key: { $: 'long text' } }, queueOnly: false },
  { name: 'header that is a function', publish: body, options: { headers: { a: { $: 'function' } } } },
  { name: 'priority "high"', publish: body, options: { priority: 'high' } },
  { name: 'expiration "soon"', publish: body, options: { expiration: 'soon' } },
  { name: 'headers of 200 KB', publish: body, options: { headers: { a: { $: 'huge text' } } } },
];

/**
 * Where good and bad messages arrive.
 *
 * @param {Arena} arena
 */
export async function openPublishes(arena) {
  await arena.channel.assertQueue('numbered', arena.system.queue ?? { durable: true });
  await arena.channel.bindQueue('numbered', 'bad', 'numbered');
  await arena.listen('numbered', (message) => arena.arrived.push(message), { noAck: true });
  arena.warm = () => arena.ask({ publish: { n: 1 } });
}

/**
 * Lets a producer publish it between four good ones.
 *
 * @param {Arena} arena
 * @param {Publish} input
 * @returns {Promise<Judgement>}
 */
export async function publish(arena, input) {
  if (arena.system.frame && input.queueOnly === false) {
    return { outcome: 'n/a: it has one queue and no keys', clear: undefined };
  }
  arena.child.forget();
  const goodOne = () => arena.ask({ publish: { n: 1 } });
  const before = [goodOne(), goodOne()];
  const bad = arena.ask({ publish: input.publish, options: input.options });
  const after = [goodOne(), goodOne()];
  const outcome = await bad;
  const mates = (await Promise.all([...before, ...after])).filter((each) => each?.ok).length;
  arena.arrived.length = 0;
  const arrivedAlone = outcome?.ok ? await aloneAgain(arena, input) : undefined;
  const next = await goodAgain(arena);
  const hurt = mates < 4 ? { hurt: 4 - mates } : {};
  const settled = verdict(outcome, arrivedAlone, arena.child.ended);
  return { ...settled, clear: settled.clear && mates === 4, ...hurt, ...next };
}

// Whoever rejects while it connects again may do so: it counts when good ones go through again.
/** @param {Arena} arena */
async function goodAgain(arena) {
  const began = performance.now();
  const good = await arena.until(async () => {
    const next = arena.child.ended ? undefined : await arena.ask({ publish: { n: 2 } });
    return next?.ok ?? false;
  }, PATIENCE);
  if (!good) return { hung: true };
  const late = Math.round(performance.now() - began);
  return late > 1_000 ? { late } : {};
}

// Sent once more without company, so that what arrives is this one.
/** @param {Arena} arena @param {Publish} input */
async function aloneAgain(arena, input) {
  await arena.ask({ publish: input.publish, options: input.options });
  return arena.until(() => arena.arrived.length > 0, OUTCOME / 2);
}

/** @param {Settled | undefined} outcome @param {boolean | undefined} arrived @param {boolean} crashed */
function verdict(outcome, arrived, crashed) {
  if (crashed) return { outcome: 'crashed', clear: false };
  if (outcome === undefined) return { outcome: 'never settled', clear: false };
  if (!outcome.ok)
    return { outcome: `rejected: ${outcome.error.replace(/\s+/g, ' ').slice(0, 60)}`, clear: true };
  if (arrived) return { outcome: 'accepted, and arrived', clear: true };
  if (outcome.value.includes('"routed":false'))
    return { outcome: 'accepted, and told: routed false', clear: true };
  return { outcome: 'accepted, and arrived nowhere', clear: false };
}
