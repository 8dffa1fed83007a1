// Bare amqplib as somebody writes it who measured: noDelay, one options object for all messages, acks of the finished
// prefix sent once per turn with `multiple`, confirms by callback, replies found by a counter in a map. Public API
// only. It is what all ratios are formed with.
import { connect } from 'amqplib';

/** Consumers, an RPC server, a publisher and a caller on one connection; resolves when all of them are ready. */
export async function open({ url, consume = [], serve, publish, call }) {
  const connection = await connect(url, { noDelay: true });
  const channels = [];
  for (const { queue, prefetch, handle } of consume) {
    channels.push(await consumer(connection, queue, prefetch, (_, body) => handle(body)));
  }
  if (serve) channels.push(await server(connection, serve));
  const publisher = publish && (await connection.createConfirmChannel());
  const caller = call && (await callerOn(await connection.createChannel()));
  const options = { persistent: publish?.persistent, contentType: 'application/json' };
  return {
    publish(body, done) {
      publisher.publish('', publish.queue, Buffer.from(JSON.stringify(body)), options, done);
    },
    call: (body, done, queue = call.queue) => caller(queue, body, done),
    async close() {
      // A turn later, so that the last acks are sent.
      await new Promise((resolve) => setImmediate(resolve));
      for (const channel of channels) await channel.close();
      await publisher?.close();
      await connection.close();
    },
  };
}

async function consumer(connection, queue, prefetch, handle) {
  const channel = await connection.createChannel();
  await channel.assertQueue(queue, { durable: true });
  await channel.prefetch(prefetch);
  const acks = new Acks(channel);
  await channel.consume(queue, (message) => {
    const place = acks.begin(message);
    const result = handle(message, JSON.parse(message.content.toString()), channel);
    if (result instanceof Promise) void result.then(() => acks.done(place));
    else acks.done(place);
  });
  return channel;
}

function server(connection, { queue, prefetch, answer }) {
  const options = { correlationId: undefined, contentType: 'application/json' };
  return consumer(connection, queue, prefetch, (message, body, channel) => {
    const { replyTo, correlationId } = message.properties;
    options.correlationId = correlationId;
    channel.publish('', replyTo, Buffer.from(JSON.stringify(answer(body))), options);
  });
}

/** Handlers may finish in any order; what is finished from the oldest on is acked at the end of the turn. */
class Acks {
  #channel;
  #open = [];
  #first = 0;
  #planned = false;
  #send = () => this.#flush();

  constructor(channel) {
    this.#channel = channel;
  }

  begin(message) {
    const place = { message, done: false };
    this.#open.push(place);
    return place;
  }

  done(place) {
    place.done = true;
    if (this.#planned) return;
    this.#planned = true;
    setImmediate(this.#send);
  }

  #flush() {
    this.#planned = false;
    let last;
    while (this.#open[this.#first]?.done) last = this.#open[this.#first++].message;
    if (last === undefined) return;
    this.#channel.ack(last, true);
    if (this.#first < this.#open.length && this.#first < 1024) return;
    this.#open = this.#open.slice(this.#first);
    this.#first = 0;
  }
}

async function callerOn(channel) {
  const pending = new Map();
  let next = 0;
  const arrived = (message) => {
    const { correlationId } = message.properties;
    const done = pending.get(correlationId);
    pending.delete(correlationId);
    done(null, JSON.parse(message.content.toString()));
  };
  await channel.consume('amq.rabbitmq.reply-to', arrived, { noAck: true });
  const options = { replyTo: 'amq.rabbitmq.reply-to', correlationId: '', contentType: 'application/json' };
  return (queue, body, done) => {
    const correlationId = (next++).toString(36);
    pending.set(correlationId, done);
    options.correlationId = correlationId;
    channel.publish('', queue, Buffer.from(JSON.stringify(body)), options);
  };
}
