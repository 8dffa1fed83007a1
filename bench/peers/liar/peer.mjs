// A system that lies: it says "the broker has it" at once, and forgets a message before it is handled. The judge must
// find it out, or its silence about the others means nothing.
import amqp from 'amqplib';

/** @typedef {import('../program.mjs').Settings} Settings */

/** @param {string} url */
const quietly = async (url) => {
  const connection = await amqp.connect(url);
  connection.on('error', () => {});
  const channel = await connection.createChannel();
  channel.on('error', () => {});
  return { connection, channel };
};

/** @param {Settings} settings */
export async function producer({ url, exchange, key }) {
  let current = await quietly(url);
  const again = () => {
    current.connection.on('close', () => {
      void quietly(url).then((made) => {
        current = made;
        again();
      }, again);
    });
  };
  again();
  return {
    /** @param {unknown} body */
    publish(body) {
      try {
        current.channel.publish(exchange, key, Buffer.from(JSON.stringify(body)), { persistent: true });
      } catch {
        // Gone; who would know?
      }
      return Promise.resolve();
    },
    close: () => current.connection.close(),
  };
}

/** @param {Settings} settings @param {(body: unknown) => unknown} handle */
export async function consumer({ url, exchange, key, queue }, handle) {
  const { connection, channel } = await quietly(url);
  await channel.assertQueue(queue, { durable: true });
  await channel.assertExchange(exchange, 'topic', { durable: true });
  await channel.bindQueue(queue, exchange, key);
  await channel.consume(
    queue,
    (message) => message !== null && void handle(JSON.parse(message.content.toString())),
    { noAck: true },
  );
  return { close: () => connection.close() };
}
