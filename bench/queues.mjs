// How much goes through one queue, several, and one process: the figures of docs/scaling.md.
//   node bench/queues.mjs            starts a private RabbitMQ node; about a minute
//   node bench/queues.mjs kinds      only the first table; `work`: only the second
// Each figure is messages a second, of 256 bytes, persistent and confirmed: first all are published, then all consumed.
import { cpus } from 'node:os';
import { build } from '../tools/build.mjs';
import { startRabbitMQ } from '../tools/rabbitmq.mjs';

await build({ ifNeeded: true });
const { Broker } = await import('@warren/amqp');

/**
 * `shards`: the queue is sharded into so many; `wait`: what a message takes its handler, in ms. All else is an option of the
 * handler.
 *
 * @typedef {{ queueType: import('@warren/amqp').QueueType | 'stream', shards: number, messages: number, prefetch: number, wait?: number, keys?: number, [option: string]: unknown }} Measured
 */

const ROUNDS = 3;
const KEYS = 100;
const TEXT = 'x'.repeat(254);
const only = process.argv[2];
let runs = 0;
const node = await startRabbitMQ({ management: false });
try {
  console.log(
    `Node ${process.version}, ${cpus().length} cores (${cpus()[0].model}), RabbitMQ on the same machine`,
  );
  if (only !== 'work') await kinds();
  if (only !== 'kinds') await work();
} finally {
  await node.stop();
}

/** What kinds of queues carry when the handler does nothing. */
async function kinds() {
  /** @type {[name: string, options: any][]} */
  const cases = [
    ['one classic queue', { queueType: 'classic', shards: 0 }],
    ['one quorum queue', { queueType: 'quorum', shards: 0 }],
    ['4 quorum queues, sharded', { queueType: 'quorum', shards: 4 }],
    ['4 classic queues, sharded', { queueType: 'classic', shards: 4 }],
    ['one stream', { queueType: 'stream', shards: 0 }],
  ];
  /** @type {Figures[][]} */
  const found = cases.map(() => []);
  for (let round = 0; round < ROUNDS; round++)
    for (const [index, [, options]] of cases.entries())
      found[index].push(await measure({ ...options, messages: 30_000, prefetch: 300 }));
  console.log('\n| | published/s | CPU | consumed/s | CPU |\n| --- | --- | --- | --- | --- |');
  for (const [index, [name]] of cases.entries()) {
    /** @param {'published' | 'consumed'} what */
    const cell = (what) => {
      const rate = median(found[index].map((one) => one[what].rate));
      return `${Math.round(rate)} | ${median(found[index].map((one) => one[what].cpu)).toFixed(1)} µs`;
    };
    console.log(`| ${name} | ${cell('published')} | ${cell('consumed')} |`);
  }
}

/** What an order costs when a message takes its handler 5 ms of waiting. */
async function work() {
  /** @type {[name: string, options: any][]} */
  const cases = [
    ['one after the other: `concurrency: 1`', { concurrency: 1, messages: 300 }],
    ['`orderBy`, 100 keys, `concurrency: 32`', { orderBy: 'routingKey', concurrency: 32 }],
    [
      '`orderBy`, 4 keys, `concurrency: 32`',
      { orderBy: 'routingKey', concurrency: 32, keys: 4, messages: 1_000 },
    ],
    ['no order, `concurrency: 32`', { concurrency: 32 }],
  ];
  console.log('\n| handler of 5 ms | consumed/s |\n| --- | --- |');
  for (const [name, options] of cases) {
    /** @type {number[]} */
    const found = [];
    for (let round = 0; round < ROUNDS; round++)
      found.push(
        (
          await measure({
            queueType: 'quorum',
            shards: 0,
            messages: 5_000,
            prefetch: 300,
            wait: 5,
            ...options,
          })
        ).consumed.rate,
      );
    console.log(`| ${name} | ${Math.round(median(found))} |`);
  }
}

/** @typedef {{ published: { rate: number, cpu: number }, consumed: { rate: number, cpu: number } }} Figures */

/** @param {Measured} what @returns {Promise<Figures>} */
async function measure({ queueType, shards, messages, prefetch, wait = 0, keys = KEYS, ...handler }) {
  const name = `bench.${++runs}`;
  const options = {
    url: node.url,
    service: 'bench',
    logger: { log() {}, warn: console.warn, error: console.error },
  };
  const exchange = { name, type: shards > 0 ? 'x-consistent-hash' : 'fanout' };
  const queues = shards > 0 ? Array.from({ length: shards }, (_, n) => `${name}.${n + 1}`) : [name];
  const publisher = new Broker(options);
  publisher.declare({
    exchanges: [exchange],
    queues: queues.map((queue) => ({ name: queue, queueType, singleActive: shards > 0 || undefined })),
    bindings: queues.map((queue) => ({ exchange, queue, key: '1' })),
  });
  await publisher.open();
  const published = await timed(messages, () => fill(publisher, name, messages, keys));
  await publisher.close();

  const consumer = new Broker(options);
  let left = messages;
  let finish = () => {};
  const finished = new Promise((/** @type {(value?: unknown) => void} */ resolve) => (finish = resolve));
  for (const queue of queues) {
    consumer.register({
      kind: 'consume',
      id: queue,
      patterns: [queue],
      options: {
        queueType: queueType === 'stream' ? undefined : queueType,
        stream: queueType === 'stream' ? { offset: 'first' } : undefined,
        ...(shards > 0 && { singleActive: true, orderBy: 'routingKey' }),
        prefetch,
        ...handler,
      },
      handle: async () => {
        if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
        if (--left === 0) finish();
      },
    });
  }
  const consumed = await timed(messages, async () => {
    await consumer.open();
    await finished;
  });
  await consumer.close();
  return { published, consumed };
}

/**
 * With 500 unconfirmed at any time.
 *
 * @param {import('@warren/amqp').Broker} publisher
 * @param {string} exchange
 * @param {number} messages
 * @param {number} keys
 */
async function fill(publisher, exchange, messages, keys) {
  let sent = 0;
  const one = async () => {
    while (sent < messages) await publisher.publish(`key-${sent++ % keys}`, TEXT, { exchange });
  };
  await Promise.all(Array.from({ length: 500 }, one));
}

/**
 * Messages a second, and microseconds that this process computed for each.
 *
 * @param {number} messages
 * @param {() => Promise<unknown>} run
 */
async function timed(messages, run) {
  const [began, before] = [performance.now(), process.cpuUsage()];
  await run();
  const { user, system } = process.cpuUsage(before);
  return { rate: (messages / (performance.now() - began)) * 1_000, cpu: (user + system) / messages };
}

/** @param {readonly number[]} values */
function median(values) {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)];
}
