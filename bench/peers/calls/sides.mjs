// Both sides of a call as processes of any of the systems: the server runs what the request names, the client makes
// calls of every kind and prints what it saw and after how long.
import { setTimeout } from 'node:timers';
import { setTimeout as pause } from 'node:timers/promises';
import { behaviours, numbers, OutOfStock, seen } from './behaviours.mjs';

const errors = [OutOfStock];

/** The server; `peer.rpcServer` gives each handler what its system has for it. */
export function serve(peer, settings, print) {
  const does = behaviours(print);
  const all = { ...settings, calls: true, errors };
  let client;
  const call = async (...what) => (await (client ??= peer.rpcClient(all))).call(...what);
  const answer = (body, about = {}) => {
    print({ event: 'handled', do: body.do, n: body.n });
    return does[body.do](body, { call, exceptions: peer.exceptions, ...about });
  };
  const items = (body) => numbers(body, print);
  return peer.rpcServer(all, answer, items);
}

/** The client; `obey(command)` makes the call that the command describes and prints `settled` with its id. */
export async function caller(peer, settings, print) {
  const client = await peer.rpcClient({ ...settings, calls: true, errors });
  const kinds = { one, many, read, gather: (what) => client.gather(what.body, what.timeout).then(seen) };

  async function one({ body, timeout, abortAfter, ...more }) {
    const controller = new AbortController();
    if (abortAfter === 0) controller.abort();
    else if (abortAfter !== undefined) setTimeout(() => controller.abort(), abortAfter);
    return seen(await client.call(body, timeout, { ...more, signal: controller.signal }));
  }

  async function many({ count, body, timeout }) {
    const outcomes = {};
    const settle = (name) => (outcomes[name] = (outcomes[name] ?? 0) + 1);
    const calls = Array.from({ length: count }, (_, n) =>
      client.call({ ...body, n }, timeout).then(
        () => settle('ok'),
        (error) => settle(error.name),
      ),
    );
    await Promise.all(calls);
    return outcomes;
  }

  async function read({ body, timeout, slow, stopAfter, credit }) {
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
    async obey({ id, kind = 'one', ...what }) {
      const began = performance.now();
      const told = (outcome) =>
        print({ event: 'settled', id, ms: Math.round(performance.now() - began), ...outcome });
      try {
        told({ ok: true, value: await kinds[kind](what) });
      } catch (error) {
        told({ ok: false, error: named(error) });
      }
    },
  };
}

function named(error) {
  if (!(error instanceof Error)) return seen(error);
  const own = error instanceof OutOfStock ? `, left ${error.left}` : '';
  const name = error.name === 'Error' ? error.constructor.name : error.name;
  return `${name}: ${error.message}${own}`.slice(0, 160);
}
