// The situations of one call.
import { setTimeout as pause } from 'node:timers/promises';
import { outcome } from './sentences.mjs';
import { QUEUE } from './stand.mjs';

/**
 * @typedef {import('./stand.mjs').Stand} Stand
 * @typedef {import('./stand.mjs').Replacement} Replacement
 * @typedef {import('./brokers.mjs').CallBroker} CallBroker
 */

/**
 * What calls meet. `run(stand)` resolves with a sentence; `warren` is what the sentence of Warren must match; `lacks` names who
 * has no such thing. `hit(broker)` is done once for all systems, between `begin(stand)` and the end of what it began;
 * `replaced` takes the server's place.
 *
 * @typedef {object} Situation
 * @property {string} name
 * @property {RegExp} warren
 * @property {(stand: Stand, begun?: Begun) => Promise<string>} run
 * @property {Record<string, string>} [lacks]
 * @property {boolean} [spoils] what comes next needs fresh processes
 * @property {boolean} [shakes] the same, also when all seems well
 * @property {boolean} [alone] one system after the other, because it is a load
 * @property {Replacement} [replaced]
 * @property {(broker: CallBroker) => unknown} [hit]
 * @property {(stand: Stand) => Promise<Begun>} [begin]
 */

/**
 * A call under way; `call()` waits for its end.
 *
 * @typedef {{ call: () => Promise<import('./stand.mjs').Settled | undefined> }} Begun
 */

/** @param {string} name @param {RegExp} warren @param {string} [title] @returns {Situation} */
const returns = (name, warren, title = `returns ${name}`) => ({
  name: title,
  warren,
  run: async (stand) => outcome(await stand.call({ do: name })),
});
/** @param {string} name @param {string} title @param {RegExp} warren @param {Partial<Situation>} [more] */
const throws = (name, title, warren, more) => ({ ...returns(name, warren, title), ...more });
/** @param {string} text */
const quick = (text) => new RegExp(`^\`${text}.*\` after \\d+ ms`);
const noSignal = { golevelup: 'a call has no signal' };
/** @param {string} what */
const onlyWarren = (what) => ({ golevelup: what, 'nest-transport': what });

/** @type {Situation[]} */
export const values = [
  returns('value', quick('{ price: 7 }'), 'returns an object'),
  returns('undefined', quick('undefined')),
  returns('null', quick('null')),
  returns('0', quick('0')),
  returns('false', quick('false')),
  returns('empty text', quick("''"), "returns ''"),
  returns('bytes', quick('<Buffer 00 01 fe ff>'), 'returns a Buffer'),
  {
    name: 'returns 10 MiB',
    warren: /^`a text of 10485760 characters` after/,
    run: async (stand) => outcome(await stand.call({ do: '10 MiB' }, { timeout: 10_000 })),
  },
  returns('circular', quick('RpcRemoteError'), 'returns a circular object'),
  returns('bigint', quick('RpcRemoteError'), 'returns a BigInt'),
];

/** @type {Situation[]} */
export const errors = [
  throws('Error', 'throws an Error', /^`RpcRemoteError: (?!.*password).*` after \d+ ms/),
  throws('OutOfStock', 'throws an error that both sides know', quick('OutOfStock: out of stock, left 3')),
  throws('RpcException', 'throws an RpcException', quick('RpcRemoteError: .*not today'), {
    lacks: { golevelup: 'comes with @nestjs/microservices' },
  }),
  throws('HttpException', 'throws an HttpException', quick('RpcRemoteError: .*no such order')),
  throws('text', 'throws a string', quick('RpcRemoteError: string: internal error')),
  throws('object', 'throws an object', quick('RpcRemoteError: object: internal error')),
  {
    ...throws('never', 'never settles', /^`RpcTimeoutError: .*` after 1\.[5-7] s/),
    spoils: true,
  },
  {
    name: 'outlasts its own time-out of 0.5 s',
    warren: quick('RpcRemoteError'),
    lacks: onlyWarren('a handler has no time-out'),
    run: async (stand) => outcome(await stand.call({ do: 'wait', ms: 3_000 }, { at: 'timed' })),
  },
];

/** @type {Situation[]} */
export const absences = [
  {
    name: 'nobody ever served the name',
    warren: quick('RpcNoServerError'),
    run: async (stand) => outcome(await stand.call({ do: 'value' }, { at: 'nobody' })),
  },
  {
    name: 'the queue is there and no consumer',
    warren: /^`RpcTimeoutError: .*` after 1\.[5-7] s/,
    spoils: true,
    run: async (stand) => {
      await stand.server.kill();
      return outcome(await stand.call({ do: 'value' }));
    },
  },
  {
    name: 'the queue was deleted',
    warren: quick('RpcNoServerError'),
    spoils: true,
    run: async (stand) => {
      await stand.server.kill();
      await stand.raw((channel) => channel.deleteQueue(QUEUE));
      return outcome(await stand.call({ do: 'value' }));
    },
  },
  {
    name: 'waits behind ten others for longer than its time',
    warren: /^`RpcTimeoutError: .*` after 1\.\d s; never run$/,
    run: async (stand) => {
      const busy = stand.call({ do: 'wait', ms: 2_000 }, { kind: 'many', count: 10, timeout: 8_000 });
      await stand.heard('handled', 4_000);
      await pause(200);
      const late = outcome(await stand.call({ do: 'value', n: 'late' }, { timeout: 1_000 }));
      await busy;
      await pause(500);
      const ran = stand.server.events.some(({ event, n }) => event === 'handled' && n === 'late');
      return `${late}; ${ran ? 'run afterwards, for nobody' : 'never run'}`;
    },
  },
  {
    name: 'caller aborts before it calls',
    warren: /^`RpcCancelledError.*` after \d ms; 0 handled/,
    lacks: noSignal,
    run: async (stand) => {
      const seen = outcome(await stand.call({ do: 'value' }, { abortAfter: 0 }));
      await pause(300);
      return `${seen}; ${stand.handled} handled`;
    },
  },
  {
    name: 'caller aborts after 0.3 s',
    warren: /^`RpcCancelledError.*` after 3\d\d ms; the handler's signal aborted/,
    lacks: noSignal,
    run: async (stand) => {
      const seen = outcome(await stand.call({ do: 'wait', ms: 1_500 }, { abortAfter: 300, timeout: 5_000 }));
      const told = await stand.heard('aborted', 1_000);
      return `${seen}; ${told ? "the handler's signal aborted" : 'the handler is not told'}`;
    },
  },
  {
    name: 'a nested call in a handler whose caller waits 1 s',
    warren: /^`RpcTimeoutError.*` after 1\.\d s; the nested call ended after (\d+ ms|1\.[01] s)/,
    run: async (stand) => {
      const seen = outcome(await stand.call({ do: 'nested' }, { timeout: 1_000 }));
      const ms = (await stand.heard('nested', 5_500))?.ms;
      if (ms === undefined) return `${seen}; the nested call never ended`;
      return `${seen}; the nested call ended after ${ms < 1_000 ? `${ms} ms` : `${(ms / 1_000).toFixed(1)} s`}`;
    },
  },
  {
    name: 'the same request twice, same message id',
    warren: /^`{ price: 7 }` after .*, handled once$/,
    lacks: onlyWarren('keeps no replies'),
    run: async (stand) => {
      const more = { at: 'once', messageId: `twice-${Date.now()}` };
      await stand.call({ do: 'value' }, more);
      const second = outcome(await stand.call({ do: 'value' }, more));
      return `${second}, handled ${stand.handled === 1 ? 'once' : `${stand.handled} times`}`;
    },
  },
];

// `value` is the good answer.
/**
 * @param {string} name
 * @param {Replacement} answer
 * @param {RegExp} warren
 * @returns {Situation}
 */
const answered = (name, answer, warren) => ({
  name: `the answer is ${name}`,
  warren,
  replaced: answer,
  run: async (stand) => outcome(await stand.call({ do: 'value' })),
});
/** @type {(...args: [...Parameters<Replacement>, import('amqplib').Options.Publish]) => void} */
const later = (send, value, properties) => {
  send(value, properties);
  void pause(200).then(() => send(value));
};

/** @type {Situation[]} */
export const replies = [
  answered('no JSON', (send) => send('{"price": '), quick('DecodeError')),
  {
    ...answered(
      'late, and another call is made then',
      (send, value) => void pause(1_200).then(() => send(value)),
      /^`RpcTimeoutError.*` after 1\.0 s; then `'good'` after 1\.\d s/,
    ),
    run: async (stand) => {
      const first = outcome(await stand.call({ do: 'value' }, { timeout: 1_000 }));
      return `${first}; then ${outcome(await stand.call({ do: 'value' }, { timeout: 2_000 }))}`;
    },
  },
  answered(
    'sent twice',
    (send, value) => {
      send(value);
      send(value);
    },
    quick("'good'"),
  ),
  answered(
    'foreign, then the right one',
    (send, value) => later(send, value, { correlationId: 'x' }),
    quick("'good'"),
  ),
];
