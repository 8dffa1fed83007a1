// Measures one case on one broker: the embedded one, or RabbitMQ. What is measured is the broker, so the clients are processes
// of their own.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'amqplib';
import { existing } from '../../tools/rabbitmq-program.mjs';
import { cases } from './cases.mjs';
import { PROGRAM, run } from './run.mjs';

/**
 * @typedef {import('../../tools/rabbitmq.mjs').RabbitMQNode} RabbitMQNode
 * @typedef {import('./cases.mjs').Case} Case
 * @typedef {import('./cases.mjs').Stand} Stand
 */

const MB = 1e6;
/** Microseconds that /proc counts in, and bytes. */
const TICK = 10_000;
const PAGE = 4096;
/** Places in /proc/<pid>/stat after the name. */
const GROUP = 2;
const USER = 11;
const SYSTEM = 12;
const RESIDENT = 21;
/** How long the broker has to end, in milliseconds. */
const CLOSED = 5_000;
/** Sizes of cases that `between` does not know. */
const NONE = { waiting: 0, bindings: 0, queues: 0 };

/**
 * One case on one of both brokers, as a cell of the tables of docs/performance.md: messages a second, and microseconds of CPU
 * of the broker for each.
 *
 * @param {string} name
 * @param {number} count
 * @param {string} key `embedded` or `rabbitmq`
 * @param {RabbitMQNode} node
 */
export async function between(name, count, key, node) {
  const one = cases(NONE).find((each) => each.name === name);
  if (one === undefined) throw new Error(`there is no case '${name}'`);
  const stand = key === 'embedded' ? await start('@warren/embedded') : await standOf(node);
  const row = await measure(one, count, stand);
  const cpu = row['broker µs/message'];
  return { rate: row['messages/s'], ...(Number.isFinite(cpu) && { cpu }) };
}

/**
 * Measures a case once, and ends the stand.
 *
 * @param {Case} one
 * @param {number} count
 * @param {Stand} stand
 */
export async function measure({ prepare, after, who = ['publisher', 'consumer'] }, count, stand) {
  /** @param {Stand} there */
  const work = async (there) => {
    const way = await prepare(there, count);
    const used = await run(there, { ...way, publishFrom: way.waiting ?? 0, count }, who);
    const use = await there.cpu();
    await after?.(there);
    return { used, ...use };
  };
  const { used, cpu: spent, memory } = await work(stand).finally(() => stand.stop());
  /** @param {number} microseconds */
  const each = (microseconds) => Number((microseconds / count).toFixed(1));
  return {
    'messages/s': Math.round(count / used.seconds),
    'broker µs/message': each(spent - used.before),
    'clients µs': each(who.reduce((sum, role) => sum + used.clients[role], 0)),
    'broker MB': Math.round(memory / MB),
  };
}

/**
 * The embedded broker, in a process of its own.
 *
 * @param {string} build
 * @param {string} [profile]
 * @returns {Promise<Stand & Required<Pick<Stand, 'ask'>>>}
 */
export async function start(build, profile) {
  const execArgv = ['--expose-gc', ...(profile ? ['--cpu-prof', `--cpu-prof-dir=${profile}`] : [])];
  const child = fork(PROGRAM, ['broker', build], { execArgv });
  const ended = new Promise((/** @type {(value?: unknown) => void} */ resolve) =>
    child.once('exit', resolve),
  );
  const died = ended.then(() => {
    throw new Error('the broker ended');
  });
  died.catch(() => {});
  const answer = async () => (await Promise.race([once(child, 'message'), died]))[0];
  /** @param {string} question */
  const ask = (question) => {
    child.send(question, () => {});
    return answer();
  };
  const { url } = await answer();
  const connection = await connect(url, { noDelay: true }).catch((error) => {
    child.kill('SIGKILL');
    throw error;
  });
  // Its end is an error of what is asked of it.
  connection.on('error', () => {});
  return {
    name: 'embedded',
    url,
    channel: await connection.createChannel(),
    ask,
    cpu: () => ask('cpu'),
    async stop() {
      await connection.close().catch(() => {});
      child.send('close', () => {});
      const kill = setTimeout(() => child.kill('SIGKILL'), CLOSED);
      await ended;
      clearTimeout(kill);
    },
  };
}

/**
 * RabbitMQ, with the CPU time and memory of its processes, where the system tells them. Its queues and exchanges are deleted
 * when it is no longer needed.
 *
 * @param {RabbitMQNode} node
 * @returns {Promise<Stand>}
 */
export async function standOf(node) {
  const connection = await connect(node.url, { noDelay: true });
  connection.on('error', () => {});
  const channel = await connection.createChannel();
  /** @type {Set<string>} */
  const queues = new Set();
  /** @type {Set<string>} */
  const exchanges = new Set();
  const { assertQueue, assertExchange } = channel;
  channel.assertQueue = (queue, ...rest) => {
    queues.add(String(queue));
    return assertQueue.call(channel, queue, ...rest);
  };
  channel.assertExchange = (exchange, ...rest) => {
    exchanges.add(exchange);
    return assertExchange.call(channel, exchange, ...rest);
  };
  return {
    name: 'RabbitMQ',
    url: node.url,
    channel,
    cpu: async () => groupUse(node.pid),
    async stop() {
      for (const queue of queues) await channel.deleteQueue(queue);
      for (const exchange of exchanges) await channel.deleteExchange(exchange);
      await connection.close();
    },
  };
}

/**
 * Microseconds of CPU and bytes of all processes of a group, on Linux; else not a number.
 *
 * @param {number | undefined} group
 */
function groupUse(group) {
  let use = { cpu: NaN, memory: NaN };
  for (const name of existing('/proc').filter((each) => /^\d+$/.test(each))) {
    const fields = statusOf(name);
    if (fields === undefined || Number(fields[GROUP]) !== group) continue;
    const cpu = (Number(fields[USER]) + Number(fields[SYSTEM])) * TICK;
    const memory = Number(fields[RESIDENT]) * PAGE;
    use = { cpu: cpu + (use.cpu || 0), memory: memory + (use.memory || 0) };
  }
  return use;
}

/** Undefined when it has ended meanwhile. @param {string} pid */
function statusOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ');
  } catch {
    return undefined;
  }
}
