// The situations in which a side, a connection or the broker goes, many calls at once, and streams.
import { setTimeout as pause } from 'node:timers/promises';
import { outcome, outcomes, read, time } from './sentences.mjs';

/**
 * @typedef {import('./stand.mjs').Stand} Stand
 * @typedef {import('./stand.mjs').Body} Body
 * @typedef {import('./sides.mjs').CallOptions} CallOptions
 * @typedef {import('./situations.mjs').Situation} Situation
 */

const MID = { do: 'wait', ms: 1_000 };
const patient = { timeout: 6_000 };
const lost = /^`RpcConnectionLostError.*` after \d+ ms/;

// What goes while a call of a second runs.
/**
 * @param {string} name
 * @param {(stand: Stand) => unknown} hit
 * @param {RegExp} warren
 * @param {Partial<Situation> & { options?: CallOptions }} [more]
 * @returns {Situation}
 */
const midCall = (name, hit, warren, { options = patient, ...more } = {}) => ({
  name: `${name} in mid-call`,
  warren,
  ...more,
  run: async (stand) => {
    const over = await stand.during(MID, options);
    await pause(200);
    await hit(stand);
    return outcome(await over());
  },
});

/** @type {Situation[]} */
const sides = [
  midCall(
    'server killed (kill -9) and started again',
    async (stand) => {
      await stand.server.kill();
      await stand.start('server');
    },
    /^`'waited'` after/,
  ),
  midCall(
    'server asked to end (SIGTERM)',
    (stand) => void stand.server.signal('SIGTERM'),
    /^`'waited'` after 1\.\d s/,
    { spoils: true },
  ),
  midCall("server's connection cut", (stand) => stand.cut('server'), /^`'waited'` after/),
  midCall("caller's connection cut", (stand) => stand.cut('client'), lost),
  midCall(
    "caller's connection cut, marked idempotent,",
    (stand) => stand.cut('client'),
    /^`'waited'` after/,
    {
      options: { ...patient, idempotent: true },
      lacks: { golevelup: 'has no such mark', 'nest-transport': 'has no such mark' },
    },
  ),
  {
    name: 'caller killed while its handler runs',
    warren: /runs to its end|signal aborted/,
    spoils: true,
    run: async (stand) => {
      await stand.during(MID, patient);
      await stand.client.kill();
      const told = await stand.heard('aborted', 2_000);
      const well = stand.server.ended ? 'the server crashed' : 'the server is well';
      return `${told ? "the handler's signal aborted" : 'the handler runs to its end'}, ${well}`;
    },
  },
  {
    name: 'caller killed, its request waits for a server',
    warren: /^never run/,
    spoils: true,
    run: async (stand) => {
      await stand.server.kill();
      // Of Warren the handler that asks for it (ifCallerGone: 'skip').
      const at = stand.system.key === 'warren' ? { at: 'skip' } : {};
      void stand.call({ do: 'value' }, { timeout: 60_000, ...at });
      await pause(500);
      await stand.client.kill();
      await stand.start('server');
      return (await stand.heard('handled', 1_500)) ? 'run, for nobody' : 'never run';
    },
  },
];

/** @param {number} timeout @returns {Pick<Situation, 'begin' | 'run'>} */
const underWay = (timeout) => ({
  begin: async (stand) => ({ call: await stand.during(MID, { timeout }) }),
  run: async (_, begun) => outcome(await begun?.call()),
});

/** @type {Situation[]} */
export const brokers = [
  {
    name: 'broker killed and started again in mid-call',
    warren: lost,
    hit: (broker) => broker.crash(),
    shakes: true,
    ...underWay(6_000),
  },
  {
    name: 'broker frozen for 3 s, the call has 1.5 s',
    warren: /^`RpcTimeoutError.*` after 1\.[5-9] s/,
    hit: async (broker) => {
      broker.freeze();
      await pause(3_000);
      broker.thaw();
    },
    ...underWay(1_500),
  },
];

/** @type {Situation[]} */
export const loads = [
  {
    name: '5 000 calls in flight',
    warren: /^5000 ok in/,
    alone: true,
    run: async (stand) =>
      outcomes(await stand.call({ do: 'value' }, { kind: 'many', count: 5_000, timeout: 20_000 })),
  },
  {
    name: '1 000 calls while one slow handler (2 s) runs',
    warren: /^1000 ok in (\d+ ms|1\.\d s)/,
    alone: true,
    run: async (stand) => {
      const slow = await stand.during({ do: 'wait', ms: 2_000 }, patient);
      const many = await stand.call({ do: 'value' }, { kind: 'many', count: 1_000, timeout: 10_000 });
      await slow();
      return outcomes(many);
    },
  },
];

const noStreams = { golevelup: 'has no streams' };
/** @param {Stand} stand @param {Body} body @param {CallOptions} [more] */
const stream = (stand, body, more = {}) =>
  stand.call(body, { kind: 'read', limit: 15_000, timeout: 3_000, ...more });

/** @type {Situation[]} */
const streams = [
  {
    name: 'stream of 1 000 items, slow reader',
    warren: /^1000 items after .*, the server at most ([1-9]|[1-9]\d|1[0-2]\d) ahead$/,
    run: async (stand) => {
      const settled = await stream(stand, { count: 1_000 }, { slow: 2 });
      if (!settled?.ok) return read(settled);
      const { at } = settled.value;
      let ahead = 0;
      let been = 0;
      for (const item of stand.server.events.filter(({ event }) => event === 'yielded')) {
        while (been < at.length && at[been] < item.at) been++;
        ahead = Math.max(ahead, item.n - been);
      }
      return `${read(settled)}, the server at most ${ahead} ahead`;
    },
  },
  {
    name: 'break out of a stream after 3 items',
    warren: /^3 items after .*, the generator's finally ran after/,
    spoils: true,
    run: async (stand) => {
      const settled = await stream(stand, { count: 1_000, every: 10 }, { stopAfter: 3 });
      return `${read(settled)}, ${await ending(stand)}`;
    },
  },
  {
    name: 'error after 3 items of a stream',
    warren: /^3 items, then `RpcRemoteError(?!.*password)/,
    run: async (stand) => read(await stream(stand, { count: 10, failAt: 4 })),
  },
  {
    name: 'caller killed in mid-stream',
    warren: /finally ran after/,
    spoils: true,
    run: async (stand) => {
      void stream(stand, { count: 1_000, every: 10 });
      await stand.client.wait(({ event }) => event === 'read', 3_000);
      await stand.client.kill();
      return ending(stand);
    },
  },
  {
    name: 'server killed in mid-stream and started again',
    warren: /items, then `RpcConnectionLostError/,
    spoils: true,
    run: async (stand) => {
      const call = stream(stand, { count: 1_000, every: 10 }, { timeout: 8_000 });
      await stand.client.wait(({ event }) => event === 'read', 3_000);
      await stand.server.kill();
      await stand.start('server');
      return read(await call);
    },
  },
];

/** @param {Stand} stand */
async function ending(stand) {
  const began = performance.now();
  // All of the stream takes longer.
  if (!(await stand.heard('finally', 4_000))) return 'the generator runs on';
  return `the generator's finally ran after ${time(Math.round(performance.now() - began))}`;
}

/** @type {Situation} */
const gather = {
  name: 'an answer of each of three instances',
  warren: /^`\[( \{ value: { price: 7 } },?| ?\{ value: \{ price: 7 \} \},?){3} \]` after \d+ ms/,
  lacks: { golevelup: 'has one answer a call', 'nest-transport': 'has one answer a call' },
  spoils: true,
  run: async (stand) => {
    await stand.another();
    await stand.another();
    return outcome(await stand.call({ do: 'value' }, { kind: 'gather', timeout: 4_000 }));
  },
};

export const losses = [...sides, ...streams.map((situation) => ({ lacks: noStreams, ...situation })), gather];
