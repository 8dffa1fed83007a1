// Works of a contender's process under a load of its own: messages at fixed times, messages that wait, and streams of
// replies. Loaded by child.mjs.
import process from 'node:process';
import { setTimeout } from 'node:timers';
import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ask, finish, flow, job, make, mark, open, since, warmedUp } from './work.mjs';

/**
 * @typedef {import('./work.mjs').Body} Body
 * @typedef {import('./work.mjs').Done} Done
 * @typedef {import('./work.mjs').Act} Act
 */

/** Until everything was written to the socket, in milliseconds. */
const QUIET = 300;

/**
 * Messages at half of the rate that it has with `atOnce` under way: each at its time, whether the earlier ones have been
 * confirmed or answered or not, and its latency counts from that time.
 */
export async function half() {
  const { url, queue, deadline, calls, atOnce, warmUp, probe, ms } = job;
  const roles = calls ? { call: { queue } } : { publish: { queue, persistent: false } };
  const client = await open({ url, deadline, ...roles });
  /** @type {string | undefined} */
  let problem;
  /** @type {Act} */
  const call = (body, done) =>
    client.call(body, (/** @type {any} */ error, /** @type {Body} */ reply) => {
      if (!error && (reply?.n !== body.n || reply?.note !== body.note))
        problem ??= `call ${body.n}: wrong reply`;
      done(error);
    });
  /** @type {Act} */
  const act = calls ? call : (body, done) => client.publish(body, done);
  const warm = await warmedUp(act, atOnce, warmUp);
  const tried = mark();
  const first = await flow({ act, atOnce, first: warm, ...probe });
  const rate = since(tried, first - warm).rate / 2;
  if (calls) await ask('window');
  const begun = mark();
  const times = await paced({ act, first, rate, ms });
  const result = { ...since(begun, times.length), ...percentiles(times), sent: first + times.length };
  if (calls) await ask('measured');
  await finish(client, { ...result, problem });
}

/**
 * Begins one at each of the times that the rate gives, and resolves with what each took from then on when all are in.
 *
 * @param {{ act: Act, first: number, rate: number, ms: number }} load
 */
function paced({ act, first, rate, ms }) {
  const every = 1000 / rate;
  const total = Math.max(1, Math.floor(ms / every));
  const times = new Float64Array(total);
  const begun = performance.now();
  let sent = 0;
  let settled = 0;
  return new Promise((/** @type {(times: Float64Array) => void} */ resolve, reject) => {
    /** @param {number} due */
    const one = (due) =>
      act(make(first + sent), (error) => {
        if (error) return reject(error);
        times[settled++] = performance.now() - due;
        if (settled === total) resolve(times);
      });
    const turn = () => {
      for (let due = begun + sent * every; sent < total && due <= performance.now(); due += every) {
        one(due);
        sent++;
      }
      // The shortest that timers have; what it is late is part of the latencies.
      if (sent < total) setTimeout(turn, 1);
    };
    turn();
  });
}

/** @param {Float64Array} times */
function percentiles(times) {
  times.sort();
  /** @param {number} share */
  const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))];
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999) };
}

/** How much memory each of many messages takes that wait for their confirms or replies. */
export async function held() {
  const { url, queue, deadline, calls, warmUp, count } = job;
  const roles = calls ? { call: { queue } } : { publish: { queue, persistent: false } };
  const client = await open({ url, deadline, ...roles });
  /** @type {string | undefined} */
  let problem;
  let waiting = 0;
  let told = () => {};
  // Whoever waits has a function of its own.
  /** @param {number} n */
  const one = (n) => {
    waiting++;
    /** @type {Done} */
    const done = (error) => {
      waiting--;
      if (error || calls) problem ??= `number ${n} came back: ${error?.message}`;
      told();
    };
    if (calls) client.call(make(n), done);
    else client.publish(make(n), done);
  };
  /** @param {number} from @param {number} to */
  const begin = (from, to) => {
    for (let n = from; n < to; n++) one(n);
  };
  // Nobody answers the calls, so those that warm up keep waiting.
  if (calls) begin(0, warmUp);
  else
    await flow({
      act: (body, settled) => client.publish(body, settled),
      atOnce: 64,
      first: 0,
      count: warmUp,
    });
  await ask('hold');
  await pause(QUIET);
  const before = memory();
  begin(warmUp, warmUp + count);
  await pause(QUIET);
  const bytes = (memory() - before) / count;
  if (waiting !== count + (calls ? warmUp : 0)) problem ??= `${waiting} waited, not ${count}`;
  await ask('release');
  if (!calls) await new Promise((resolve) => (told = () => waiting === 0 && resolve(undefined)));
  await finish(calls ? { close: () => {} } : client, { bytes, sent: warmUp + count, problem });
}

/** Bytes in use, without what the collector can take away. */
function memory() {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Reads streams of `items` replies, one stream after the other. */
export async function items() {
  const { url, queue, deadline, items: each, warmUp, window } = job;
  const client = await open({ url, deadline, call: { queue } });
  let streams = 0;
  /** Reads whole streams until there were so many items, or the time is over. @param {{ count: number, ms: number }} span */
  const read = async ({ count, ms }) => {
    const until = performance.now() + ms;
    let seen = 0;
    while (seen < count && performance.now() < until) {
      let next = 0;
      for await (const { n, note } of client.stream(make(streams))) {
        if (n !== next++ || note !== make(n).note) throw new Error(`item ${n} came as number ${next}`);
      }
      if (next !== each) throw new Error(`a stream of ${next} items, not ${each}`);
      streams++;
      seen += next;
    }
    return seen;
  };
  await read(warmUp);
  await ask('window');
  const begun = mark();
  const result = since(begun, await read(window));
  await ask('measured');
  await finish(client, { ...result, sent: streams });
}
