// Both sides of a call as processes of any of the systems: the server runs what the request names, the client makes
// calls of every kind and prints what it saw and after how long.
import { setTimeout } from 'node:timers';
import { setTimeout as pause } from 'node:timers/promises';
import { behaviours, numbers, OutOfStock, seen } from './behaviours.mjs';

/**
 * @typedef {import('../program.mjs').Peer} Peer
 * @typedef {import('../program.mjs').Caller} Caller
 * @typedef {import('../program.mjs').Settings} Settings
 * @typedef {import('../program.mjs').Print} Print
 * @typedef {import('./behaviours.mjs').Asked} Asked
 * @typedef {import('./behaviours.mjs').Items} Items
 */

/**
 * How a call is made: one, `count` at once, as a stream, or to each server. `slow` is how many ms the reader of a stream
 * takes for an item; the rest are options that only some systems have.
 *
 * @typedef {object} CallOptions
 * @property {'one' | 'many' | 'read' | 'gather'} [kind]
 * @property {number} [timeout]
 * @property {number} [count]
 * @property {number} [abortAfter] in ms
 * @property {number} [slow]
 * @property {number} [stopAfter]
 * @property {number} [credit]
 * @property {string} [at]
 * @property {string} [messageId]
 * @property {boolean} [idempotent]
 */

/** @typedef {Omit<CallOptions, 'kind'> & { body: Asked | Items, timeout: number }} Call */

/**
 * When the items of a stream came, and the error that ended it.
 *
 * @typedef {{ at: number[], error: string | undefined }} Reading
 */

const errors = [OutOfStock];

/**
 * The server; `peer.rpcServer` gives each handler what its system has for it.
 *
 * @param {Peer} peer
 * @param {Settings} settings
 * @param {Print} print
 */
export function serve(peer, settings, print) {
  const does = behaviours(print);
  const all = { ...settings, calls: true, errors };
  /** @type {Promise<Caller> | undefined} */
  let client;
  /** @param {unknown} body @param {number} timeout */
  const call = async (body, timeout) => (await (client ??= peer.rpcClient(all))).call(body, timeout);
  /** @param {Asked} body @param {Partial<import('./behaviours.mjs').About>} [about] */
  const answer = (body, about = {}) => {
    print({ event: 'handled', do: body.do, n: body.n });
    return does[body.do](body, { call, exceptions: peer.exceptions, ...about });
  };
  const items = (/** @type {Items} */ body) => numbers(body, print);
  return peer.rpcServer(all, answer, items);
}

/**
 * The client; `obey(command)` makes the call that the command describes and prints `settled` with its id.
 *
 * @param {Peer} peer
 * @param {Settings} settings
 * @param {Print} print
 */
export async function caller(peer, settings, print) {
  const client = await peer.rpcClient({ ...settings, calls: true, errors });
  const kinds = { one, many, read, gather };

  /** @param {Call} call */
  async function gather({ body, timeout }) {
    return seen(await client.gather(body, timeout));
  }

  /** @param {Call} call */
  async function one({ body, timeout, abortAfter, ...more }) {
    const controller = new AbortController();
    if (abortAfter === 0) controller.abort();
    else if (abortAfter !== undefined) setTimeout(() => controller.abort(), abortAfter);
    return seen(await client.call(body, timeout, { ...more, signal: controller.signal }));
  }

  /** @param {Call} call */
  async function many({ count = 0, body, timeout }) {
    /** @type {Record<string, number>} */
    const outcomes = {};
    const settle = (/** @type {string} */ name) => (outcomes[name] = (outcomes[name] ?? 0) + 1);
    const calls = Array.from({ length: count }, (_, n) =>
      client.call({ ...body, n }, timeout).then(
        () => settle('ok'),
        (error) => settle(error.name),
      ),
    );
    await Promise.all(calls);
    return outcomes;
  }

  /** @param {Call} call @returns {Promise<Reading>} */
  async function read({ body, timeout, slow, stopAfter, credit }) {
    /** @type {number[]} */
    const at = [];
    let error;
    try {
      for await (const item of client.stream(body, { timeout, credit })) {
        at.push(Date.now());
        if (item === undefined) throw new Error('an item that is none');
        print({ event: 'read' });
        if (at.length === stopAfter) break;
        if (slow) await pause(slow);
      }
    } catch (thrown) {
      error = named(thrown);
    }
    return { at, error };
  }

  return {
    /** @param {Call & { id: number | string, kind?: keyof typeof kinds }} command */
    async obey({ id, kind = 'one', ...what }) {
      const began = performance.now();
      const told = (/** @type {object} */ outcome) =>
        print({ event: 'settled', id, ms: Math.round(performance.now() - began), ...outcome });
      try {
        told({ ok: true, value: await kinds[kind](what) });
      } catch (error) {
        told({ ok: false, error: named(error) });
      }
    },
  };
}

/** @param {unknown} error */
function named(error) {
  if (!(error instanceof Error)) return seen(error);
  const own = error instanceof OutOfStock ? `, left ${error.left}` : '';
  const name = error.name === 'Error' ? error.constructor.name : error.name;
  return `${name}: ${error.message}${own}`.slice(0, 160);
}
