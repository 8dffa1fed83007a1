// The floor: a client of the benchmark's own that does only what the protocol needs (bare-client.mjs), used as sparingly as
// tuned amqplib is. What a library does beyond that is what it costs more.
import { BareConnection } from '../bare-client.mjs';

const REPLIES = 'amq.rabbitmq.reply-to';

/**
 * @typedef {Record<string, string>} QueueArguments
 * @typedef {{ queue: string, prefetch: number, answer: (body: any) => unknown }} Server
 * @typedef {{ queue: string, persistent?: boolean, queueArguments?: QueueArguments }} Target
 */

/**
 * A consumer, and what only some contenders can: handlers that fail and what follows (`retry` or a dead letter), lists, order by
 * routing key, what Nest puts in front of a handler, a key of an exchange.
 *
 * @typedef {object} Consumer
 * @property {string} queue
 * @property {number} prefetch
 * @property {QueueArguments} [queueArguments]
 * @property {(body: any) => any} handle
 * @property {string} [fails]
 * @property {{ size: number, wait: number }} [batch]
 * @property {boolean} [ordered]
 * @property {import('../enhancers.mjs').Kind[]} [enhanced]
 * @property {{ exchange: string, key: string }} [route]
 */

/**
 * What a contender opens: each role has its queue. `deadline` is that of calls, in milliseconds.
 *
 * @typedef {object} Roles
 * @property {string} url
 * @property {Consumer[]} [consume]
 * @property {Server} [serve]
 * @property {Target} [publish]
 * @property {Target} [call]
 * @property {number} [deadline]
 */

/** @typedef {(error: unknown, value?: any) => void} Done */

/**
 * Consumers, an RPC server, a publisher and a caller on one connection; resolves when all of them are ready.
 *
 * @param {Roles} roles
 */
export async function open({ url, consume = [], serve, publish, call }) {
  const connection = await BareConnection.connect(url);
  for (const { queue, prefetch, queueArguments, handle } of consume) {
    const channel = await connection.channel();
    await channel.declare(queue, queueArguments);
    await channel.consume(queue, ({ body }) => handle(body), { prefetch });
  }
  if (serve) {
    const { queue, prefetch, answer } = serve;
    const channel = await connection.channel();
    await channel.declare(queue);
    await channel.consume(
      queue,
      ({ body, correlationId, replyTo }) => channel.publish(replyTo, answer(body), { correlationId }),
      { prefetch },
    );
  }
  const publisher = publish && (await connection.channel());
  await publisher?.confirms();
  const caller = call && (await callerOn(await connection.channel()));
  return {
    /** @param {unknown} body @param {(error: Error | null) => void} done */
    publish: (body, done) =>
      publisher?.publish(publish?.queue ?? '', body, { persistent: publish?.persistent, done }),
    /** @param {unknown} body @param {(error: unknown, reply?: unknown) => void} done @param {string} [queue] */
    call: (body, done, queue = call?.queue ?? '') => caller?.(queue, body, done),
    async close() {
      // A turn later, so that the last acks are sent.
      await new Promise((resolve) => setImmediate(resolve));
      await connection.close();
    },
  };
}

/** @param {Awaited<ReturnType<BareConnection['channel']>>} channel */
async function callerOn(channel) {
  /** @type {Map<string, (error: unknown, reply?: unknown) => void>} */
  const pending = new Map();
  let next = 0;
  await channel.consume(
    REPLIES,
    ({ body, correlationId }) => {
      const done = pending.get(correlationId);
      pending.delete(correlationId);
      done?.(null, body);
    },
    { noAck: true },
  );
  return (
    /** @type {string} */ queue,
    /** @type {unknown} */ body,
    /** @type {(error: unknown, reply?: unknown) => void} */ done,
  ) => {
    const correlationId = (next++).toString(36);
    pending.set(correlationId, done);
    channel.publish(queue, body, { replyTo: REPLIES, correlationId });
  };
}
