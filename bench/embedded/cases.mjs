// What bench/embedded measures: each case prepares queues, and says where messages go and where they come out.
import { run } from './run.mjs';

/**
 * Where messages of a case go, with what, and where they come out.
 *
 * @typedef {object} Way
 * @property {string} exchange
 * @property {string[]} keys
 * @property {object} [headers]
 * @property {string[]} queues
 * @property {boolean} [retry] each is rejected at first
 * @property {number} [waiting] how many wait before the case begins
 * @property {number} [first] number of the first message
 * @property {number} [publishFrom]
 * @property {number} [count]
 */

/**
 * A broker that is measured: microseconds of its CPU time, and its memory in bytes.
 *
 * @typedef {object} Stand
 * @property {string} name
 * @property {string} url
 * @property {import('amqplib').Channel} channel
 * @property {() => Promise<{ cpu: number, memory: number }>} cpu
 * @property {(question: string) => Promise<Memory>} [ask] the embedded one
 * @property {() => Promise<unknown>} stop
 */

/**
 * @typedef {{ cpu: number, memory: number, held: number }} Memory
 * @typedef {{ waiting: number, bindings: number, queues: number }} Sizes
 */

/**
 * @typedef {object} Case
 * @property {string} name
 * @property {import('./clients.mjs').Role[]} [who] the clients
 * @property {(stand: Stand, count: number) => Promise<Partial<Way>>} prepare
 * @property {(stand: Stand) => Promise<unknown>} [after]
 */

/**
 * Each case prepares what is there before, and says where messages go and where they come out.
 *
 * @param {Sizes} sizes
 * @returns {Case[]}
 */
export function cases({ waiting, bindings, queues }) {
  /** @type {(type: string, key: (n: number) => string, table?: (n: number) => object, headers?: object) => Case} */
  const bound = (type, key, table = () => ({}), headers) => ({
    name: `${bindings} bindings on a ${type} exchange`,
    async prepare({ channel }) {
      await channel.assertExchange(type, type);
      await channel.assertQueue('other');
      await channel.assertQueue('in');
      /** @param {string} queue @param {number} n */
      const bind = (queue, n) => channel.bindQueue(queue, type, key(n), table(n));
      const others = Array.from({ length: bindings }, (_, n) => n);
      await timed(`bind ${bindings}`, () => Promise.all(others.map((n) => bind('other', n))));
      await bind('in', bindings);
      return { exchange: type, keys: [key(bindings)], headers, queues: ['in'] };
    },
    after: ({ channel }) => timed(`delete a queue with ${bindings}`, () => channel.deleteQueue('other')),
  });
  return [
    { name: 'published and consumed', prepare: (stand) => plain(stand, 1) },
    {
      name: 'published and consumed by @warren/amqp',
      who: ['warrenPublisher', 'warrenConsumer'],
      prepare: (stand) => plain(stand, 1),
    },
    { name: 'published', who: ['publisher'], prepare: (stand) => plain(stand, 1) },
    {
      name: 'consumed',
      who: ['consumer'],
      async prepare(stand, count) {
        const way = await plain(stand, 1);
        await run(stand, { ...way, count }, ['publisher']);
        return way;
      },
    },
    {
      name: 'calls and replies',
      who: ['server', 'caller'],
      async prepare({ channel }) {
        await channel.assertQueue('calls');
        return {};
      },
    },
    {
      name: 'rejected, 10 ms later consumed',
      async prepare({ channel }) {
        const back = { deadLetterExchange: '', deadLetterRoutingKey: 'retried' };
        await channel.assertQueue('wait', { ...back, messageTtl: 10 });
        await channel.assertQueue('retried', { ...back, deadLetterRoutingKey: 'wait' });
        return { exchange: '', keys: ['retried'], queues: ['retried'], retry: true };
      },
    },
    {
      name: `${waiting} messages waiting`,
      async prepare(stand) {
        const way = await plain(stand, 1);
        await run(stand, { ...way, first: 0, count: waiting }, ['publisher']);
        return { ...way, waiting };
      },
    },
    bound('topic', (n) => `shop.${n}.order.#`),
    bound('direct', (n) => `key ${n}`),
    bound(
      'headers',
      () => '',
      (n) => ({ kind: 'order', id: n }),
      { kind: 'order', id: bindings },
    ),
    { name: `${queues} queues with a consumer each`, prepare: (stand) => plain(stand, queues) },
  ];
}

/** @param {Stand} stand @param {number} count @returns {Promise<Way>} */
export async function plain({ channel }, count) {
  const queues = Array.from({ length: count }, (_, n) => `in ${n}`);
  for (const queue of queues) await channel.assertQueue(queue);
  return { exchange: '', keys: queues, queues };
}

/** @param {string} what @param {() => Promise<unknown>} work */
async function timed(what, work) {
  const begun = performance.now();
  await work();
  console.log(`  ${what}: ${Math.round(performance.now() - begun)} ms`);
}
