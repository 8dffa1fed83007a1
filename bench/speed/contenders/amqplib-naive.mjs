// Bare amqplib as its tutorials show it: defaults everywhere, an ack for each message, a callback for each confirm,
// a map of pending calls. Every contender beside it opens the same parts in its own way; see bodies.mjs and child.mjs
// for what is asked of them.
import { randomUUID } from 'node:crypto';
import { connect } from 'amqplib';

/**
 * @typedef {import('amqplib').Channel} Channel
 * @typedef {import('amqplib').ChannelModel} Connection
 * @typedef {import('amqplib').ConsumeMessage | null} Message
 * @typedef {import('./bare.mjs').Done} Done
 */

/**
 * Consumers, an RPC server, a publisher and a caller on one connection; resolves when all of them are ready.
 *
 * @param {import('./bare.mjs').Roles} roles
 */
export async function open({ url, consume = [], serve, publish, call }) {
  const connection = await connect(url);
  /** @type {Channel[]} */
  const channels = [];
  for (const each of consume) channels.push(await consumer(connection, each));
  if (serve) channels.push(await server(connection, serve));
  const publisher = publish && (await connection.createConfirmChannel());
  const caller = call && (await callerOn(await connection.createChannel()));
  return {
    /** @param {unknown} body @param {Done} done */
    publish(body, done) {
      const { queue = '', persistent } = publish ?? {};
      const content = Buffer.from(JSON.stringify(body));
      publisher?.sendToQueue(queue, content, { persistent, contentType: 'application/json' }, done);
    },
    /** @param {unknown} body @param {Done} done @param {string} [queue] */
    call: (body, done, queue = call?.queue ?? '') => caller?.(queue, body, done),
    async close() {
      for (const channel of channels) await channel.close();
      await publisher?.close();
      await connection.close();
    },
  };
}

/** @param {Connection} connection @param {import('./bare.mjs').Consumer} consumer */
async function consumer(connection, { queue, prefetch, queueArguments, handle }) {
  const channel = await connection.createChannel();
  await channel.assertQueue(queue, { durable: true, arguments: queueArguments });
  await channel.prefetch(prefetch);
  await channel.consume(queue, (message) => {
    if (message === null) return;
    try {
      handle(JSON.parse(message.content.toString()));
      channel.ack(message);
    } catch {
      channel.nack(message, false, false);
    }
  });
  return channel;
}

/** @param {Connection} connection @param {import('./bare.mjs').Server} server */
async function server(connection, { queue, prefetch, answer }) {
  const channel = await connection.createChannel();
  await channel.assertQueue(queue, { durable: true });
  await channel.prefetch(prefetch);
  await channel.consume(queue, (message) => {
    if (message === null) return;
    const reply = answer(JSON.parse(message.content.toString()));
    const { replyTo, correlationId } = message.properties;
    channel.sendToQueue(replyTo, Buffer.from(JSON.stringify(reply)), { correlationId });
    channel.ack(message);
  });
  return channel;
}

/** @param {Channel} channel */
async function callerOn(channel) {
  /** @type {Map<string, Done>} */
  const pending = new Map();
  const arrived = (/** @type {Message} */ message) => {
    if (message === null) return;
    const done = pending.get(message.properties.correlationId);
    pending.delete(message.properties.correlationId);
    done?.(null, JSON.parse(message.content.toString()));
  };
  await channel.consume('amq.rabbitmq.reply-to', arrived, { noAck: true });
  return (/** @type {string} */ queue, /** @type {unknown} */ body, /** @type {Done} */ done) => {
    const correlationId = randomUUID();
    pending.set(correlationId, done);
    const content = Buffer.from(JSON.stringify(body));
    channel.sendToQueue(queue, content, { replyTo: 'amq.rabbitmq.reply-to', correlationId });
  };
}
