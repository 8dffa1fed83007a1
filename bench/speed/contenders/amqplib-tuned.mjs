// Bare amqplib as somebody writes it who measured: noDelay, one options object for all messages, acks of the finished
// prefix sent once per turn with `multiple`, confirms by callback, replies found by a counter in a map. Public API
// only. It is what all ratios are formed with.
import { connect } from 'amqplib';

/**
 * @typedef {import('amqplib').Channel} Channel
 * @typedef {import('amqplib').ChannelModel} Connection
 * @typedef {import('amqplib').ConsumeMessage} Message
 * @typedef {import('./bare.mjs').Consumer} Consumer
 * @typedef {import('./bare.mjs').Done} Done
 * @typedef {(message: Message, body: any, channel: Channel) => any} Handle
 * @typedef {{ message: Message, done: boolean, gone: boolean }} Place
 */

/**
 * Consumers, an RPC server, a publisher and a caller on one connection; resolves when all of them are ready.
 *
 * @param {import('./bare.mjs').Roles} roles
 */
export async function open({ url, consume = [], serve, publish, call }) {
  const connection = await connect(url, { noDelay: true });
  /** @type {Channel[]} */
  const channels = [];
  for (const each of consume) {
    const open = each.batch
      ? batchConsumer(connection, each, each.batch)
      : consumer(connection, each, handlerOf(each));
    channels.push(await open);
  }
  if (serve) channels.push(await server(connection, serve));
  const publisher = publish && (await connection.createConfirmChannel());
  const caller = call && (await callerOn(await connection.createChannel()));
  const options = { persistent: publish?.persistent, contentType: 'application/json' };
  return {
    /** @param {unknown} body @param {Done} done */
    publish(body, done) {
      publisher?.publish('', publish?.queue ?? '', Buffer.from(JSON.stringify(body)), options, done);
    },
    /** @param {unknown} body @param {Done} done @param {string} [queue] */
    call: (body, done, queue = call?.queue ?? '') => caller?.(queue, body, done),
    async close() {
      // A turn later, so that the last acks are sent.
      await new Promise((resolve) => setImmediate(resolve));
      for (const channel of channels) await channel.close();
      await publisher?.close();
      await connection.close();
    },
  };
}

/**
 * @param {Connection} connection
 * @param {Pick<Consumer, 'queue' | 'prefetch' | 'queueArguments' | 'fails'>} consumer
 * @param {Handle} handle
 */
async function consumer(connection, { queue, prefetch, queueArguments, fails }, handle) {
  const channel = await channelOf(connection, { queue, prefetch, queueArguments });
  const acks = new Acks(channel);
  const take = (/** @type {Message | null} */ message) => {
    if (message === null) return;
    const place = acks.begin(message);
    const result = handle(message, JSON.parse(message.content.toString()), channel);
    if (result instanceof Promise) void result.then(() => acks.done(place));
    else acks.done(place);
  };
  const takeOrNack = (/** @type {Message | null} */ message) => {
    if (message === null) return;
    const place = acks.begin(message);
    try {
      handle(message, JSON.parse(message.content.toString()), channel);
      acks.done(place);
    } catch {
      channel.nack(message, false, false);
      acks.gone(place);
    }
  };
  await channel.consume(queue, fails ? takeOrNack : take);
  return channel;
}

/** @param {Connection} connection @param {Pick<Consumer, 'queue' | 'prefetch' | 'queueArguments'>} consumer */
async function channelOf(connection, { queue, prefetch, queueArguments }) {
  const channel = await connection.createChannel();
  await channel.assertQueue(queue, { durable: true, arguments: queueArguments });
  await channel.prefetch(prefetch);
  return channel;
}

/** @param {Consumer} consumer @returns {Handle} */
function handlerOf({ handle, ordered }) {
  return ordered ? inOrder(handle) : (_, body) => handle(body);
}

/**
 * Hands over lists: full ones, and what has come when the first message has waited long enough. One ack is for all of a list.
 *
 * @param {Connection} connection
 * @param {Consumer} consumer
 * @param {{ size: number, wait: number }} batch
 */
async function batchConsumer(connection, consumer, { size, wait }) {
  const channel = await channelOf(connection, consumer);
  /** @type {unknown[]} */
  let bodies = [];
  /** @type {Message | undefined} */
  let last;
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    const list = bodies;
    bodies = [];
    consumer.handle(list);
    if (last) channel.ack(last, true);
  };
  await channel.consume(consumer.queue, (/** @type {Message | null} */ message) => {
    if (message === null) return;
    last = message;
    if (bodies.push(JSON.parse(message.content.toString())) === size) flush();
    else timer ??= setTimeout(flush, wait);
  });
  return channel;
}

/**
 * A handler that runs for one message of a key at a time: a chain of promises for each key.
 *
 * @param {(body: unknown) => Promise<unknown>} handle
 * @returns {Handle}
 */
function inOrder(handle) {
  /** @type {Map<string, Promise<unknown>>} */
  const chains = new Map();
  return ({ fields: { routingKey } }, body) => {
    const before = chains.get(routingKey);
    const own = before ? before.then(() => handle(body)) : handle(body);
    chains.set(routingKey, own);
    void own.then(() => chains.get(routingKey) === own && chains.delete(routingKey));
    return own;
  };
}

/** @param {Connection} connection @param {import('./bare.mjs').Server} server */
function server(connection, { queue, prefetch, answer }) {
  /** @type {import('amqplib').Options.Publish} */
  const options = { correlationId: undefined, contentType: 'application/json' };
  return consumer(connection, { queue, prefetch }, (message, body, channel) => {
    const { replyTo, correlationId } = message.properties;
    options.correlationId = correlationId;
    channel.publish('', replyTo, Buffer.from(JSON.stringify(answer(body))), options);
  });
}

/** Handlers may finish in any order; what is finished from the oldest on is acked at the end of the turn. */
class Acks {
  #channel;
  /** @type {Place[]} */
  #open = [];
  #first = 0;
  #planned = false;
  #send = () => this.#flush();

  /** @param {Channel} channel */
  constructor(channel) {
    this.#channel = channel;
  }

  /** @param {Message} message */
  begin(message) {
    const place = { message, done: false, gone: false };
    this.#open.push(place);
    return place;
  }

  /** @param {Place} place */
  done(place) {
    place.done = true;
    if (this.#planned) return;
    this.#planned = true;
    setImmediate(this.#send);
  }

  /**
   * It was nacked: acks of later messages must not name it.
   *
   * @param {Place} place
   */
  gone(place) {
    place.gone = true;
    this.done(place);
  }

  #flush() {
    this.#planned = false;
    let last;
    while (this.#open[this.#first]?.done) {
      const { message, gone } = this.#open[this.#first++];
      if (!gone) last = message;
    }
    if (last !== undefined) this.#channel.ack(last, true);
    if (this.#first < this.#open.length && this.#first < 1024) return;
    this.#open = this.#open.slice(this.#first);
    this.#first = 0;
  }
}

/** @param {Channel} channel */
async function callerOn(channel) {
  /** @type {Map<string, Done>} */
  const pending = new Map();
  let next = 0;
  const arrived = (/** @type {Message | null} */ message) => {
    if (message === null) return;
    const { correlationId } = message.properties;
    const done = pending.get(correlationId);
    pending.delete(correlationId);
    done?.(null, JSON.parse(message.content.toString()));
  };
  await channel.consume('amq.rabbitmq.reply-to', arrived, { noAck: true });
  const options = { replyTo: 'amq.rabbitmq.reply-to', correlationId: '', contentType: 'application/json' };
  return (/** @type {string} */ queue, /** @type {unknown} */ body, /** @type {Done} */ done) => {
    const correlationId = (next++).toString(36);
    pending.set(correlationId, done);
    options.correlationId = correlationId;
    channel.publish('', queue, Buffer.from(JSON.stringify(body)), options);
  };
}
