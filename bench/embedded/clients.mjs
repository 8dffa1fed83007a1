// The processes of bench/embedded: the broker, and clients that publish, consume and call. `fork(clients.mjs, [role, ...])`; each
// says 'ready', starts when told, and tells its CPU time when it is done.
import { once } from 'node:events';
import process from 'node:process';
import { connect } from 'amqplib';

/** @typedef {import('amqplib').ConsumeMessage} ConsumeMessage */
/** @typedef {keyof typeof roles} Role */

/** Bytes of a body. */
export const SIZE = 256;
const IN_FLIGHT = 1000;
const CALLS = 200;
const REPLIES = 'amq.rabbitmq.reply-to';
const roles = { broker, publisher, consumer, warrenPublisher, warrenConsumer, caller, server };
const [, , role] = process.argv;
if (process.send && role in roles) {
  // Its parent is gone, or it has done its work.
  process.once('disconnect', () => process.exit());
  await roles[/** @type {Role} */ (role)]();
}

async function broker() {
  const { EmbeddedBroker } = await import(process.argv[3]);
  const running = await EmbeddedBroker.start({ memoryLimit: Infinity });
  process.on('message', (question) => {
    if (question === 'collect') globalThis.gc?.();
    const { rss, heapUsed, external } = process.memoryUsage();
    if (question !== 'close') process.send?.({ cpu: cpu(), memory: rss, held: heapUsed + external });
    else void running.close().then(() => process.disconnect());
  });
  process.send?.({ url: running.url });
}

function cpu() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** Publishes numbered messages, each confirmed; says 'ready', starts when told, answers when all are confirmed. */
async function publisher() {
  const { url, exchange, keys, headers, first, count } = JSON.parse(process.argv[3]);
  const connection = await connect(url, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  process.send?.({ kind: 'ready' });
  await once(process, 'message');
  const before = cpu();
  let next = 0;
  let confirmed = 0;
  await new Promise((/** @type {(value?: unknown) => void} */ resolve, reject) => {
    /** @param {Error | null} error */
    const settled = (error) => {
      if (error) reject(error);
      if (++confirmed === count) resolve();
      else if (next - confirmed <= IN_FLIGHT / 2) fill();
    };
    const options = { headers };
    const fill = () => {
      for (; next < count && next - confirmed < IN_FLIGHT; next += 1) {
        const body = Buffer.allocUnsafe(SIZE);
        body.writeUInt32BE(first + next, 0);
        channel.publish(exchange, keys[next % keys.length], body, options, settled);
      }
    };
    fill();
  });
  process.send?.({ kind: 'done', cpu: cpu() - before });
  // First the channel: amqplib may send acks after the close of the connection.
  await channel.close();
  await connection.close();
  process.disconnect();
}

/** Calls, 200 at a time, and says what a call took. */
async function caller() {
  const { url, count } = JSON.parse(process.argv[3]);
  const connection = await connect(url, { noDelay: true });
  const channel = await connection.createChannel();
  process.send?.({ kind: 'ready' });
  await once(process, 'message');
  const before = cpu();
  let asked = 0;
  let told = 0;
  await new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
    const ask = () => {
      if (asked++ < count) channel.sendToQueue('calls', Buffer.alloc(SIZE), { replyTo: REPLIES });
    };
    const heard = () => (++told === count ? resolve() : ask());
    channel.consume(REPLIES, heard, { noAck: true }).then(() => {
      for (let n = 0; n < CALLS; n += 1) ask();
    });
  });
  process.send?.({ kind: 'done', cpu: cpu() - before });
  await channel.close();
  await connection.close();
  process.disconnect();
}

/** Answers calls. */
async function server() {
  const { url, count } = JSON.parse(process.argv[3]);
  const connection = await connect(url, { noDelay: true });
  const channel = await connection.createChannel();
  await channel.prefetch(IN_FLIGHT);
  process.send?.({ kind: 'ready' });
  await once(process, 'message');
  const before = cpu();
  let done = 0;
  await new Promise((/** @type {(value?: unknown) => void} */ resolve) => {
    /** @param {ConsumeMessage | null} message */
    const answer = (message) => {
      if (!message) return;
      channel.sendToQueue(message.properties.replyTo, message.content);
      channel.ack(message);
      if (++done === count) resolve();
    };
    void channel.consume('calls', answer);
  });
  process.send?.({ kind: 'done', cpu: cpu() - before });
  await channel.close();
  await connection.close();
  process.disconnect();
}

/** Consumes numbered messages, acks each, and answers when every one has come once; with `retry` each is rejected at first. */
async function consumer() {
  const { url, queues, first, count, retry } = JSON.parse(process.argv[3]);
  const connection = await connect(url, { noDelay: true });
  const channel = await connection.createChannel();
  await channel.prefetch(Math.max(10, Math.ceil(IN_FLIGHT / queues.length)));
  const seen = new Uint8Array(count);
  let come = 0;
  let before = 0;
  const all = new Promise((/** @type {(value?: unknown) => void} */ resolve, reject) => {
    /** @param {ConsumeMessage | null} message */
    const take = (message) => {
      if (!message) return;
      if (retry && !message.properties.headers?.['x-death']) return void channel.nack(message, false, false);
      const number = message.content.readUInt32BE(0) - first;
      // What waits behind the last one is given back when the connection closes.
      if (come === count) return;
      if (number < 0 || number >= count || seen[number])
        reject(new Error(`message ${number} is not expected`));
      seen[number] = 1;
      channel.ack(message);
      if (++come === count) resolve();
    };
    process.send?.({ kind: 'ready' });
    process.once('message', () => {
      before = cpu();
      for (const queue of queues) channel.consume(queue, take).catch(reject);
    });
  });
  await all;
  process.send?.({ kind: 'done', cpu: cpu() - before });
  // The channel first: amqplib may send acks that are under way after a close of the connection.
  await channel.close();
  await connection.close();
  process.disconnect();
}

async function warrenPublisher() {
  const { url, keys, count } = JSON.parse(process.argv[3]);
  const { Broker, SILENT } = await import('@warren/amqp');
  const client = new Broker({ url, service: 'bench', logger: SILENT });
  await client.open();
  process.send?.({ kind: 'ready' });
  await once(process, 'message');
  const before = cpu();
  const body = Buffer.alloc(SIZE);
  let sent = 0;
  const flow = async () => {
    while (sent++ < count) await client.send(keys[0], body, { persistent: false });
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, flow));
  process.send?.({ kind: 'done', cpu: cpu() - before });
  await client.close();
  process.disconnect();
}

async function warrenConsumer() {
  const { url, queues, count } = JSON.parse(process.argv[3]);
  const { Broker, SILENT } = await import('@warren/amqp');
  const client = new Broker({ url, service: 'bench', logger: SILENT, prefetch: IN_FLIGHT });
  let before = 0;
  let taken = 0;
  await new Promise((/** @type {(value?: unknown) => void} */ resolve, reject) => {
    const handle = () => void (++taken === count && resolve());
    const options = /** @type {const} */ ({ declare: 'skip', retry: false });
    client.register({ kind: 'consume', id: 'bench', patterns: queues, options, handle });
    client.open().then(() => process.send?.({ kind: 'ready' }), reject);
    process.once('message', () => void (before = cpu()));
  });
  process.send?.({ kind: 'done', cpu: cpu() - before });
  await client.close();
  process.disconnect();
}
