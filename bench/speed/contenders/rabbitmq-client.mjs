// rabbitmq-client, which speaks AMQP by itself, with what its README shows: createConsumer, createPublisher with
// confirms, createRPCClient.
import { Connection, ConsumerStatus } from 'rabbitmq-client';
import { done as told } from '../bodies.mjs';

/** Consumers, an RPC server, a publisher and a caller on one connection; resolves when all of them are ready. */
export async function open({ url, consume = [], serve, publish, call, deadline }) {
  const rabbit = new Connection(url);
  rabbit.on('error', (error) => console.error(error.message));
  await rabbit.onConnect(10_000);
  const queueOptions = { durable: true };
  const consumers = consume.map((each) => {
    const { queue, prefetch, queueArguments } = each;
    const options = { ...queueOptions, arguments: queueArguments };
    const settings = { queue, queueOptions: options, qos: { prefetchCount: prefetch } };
    return rabbit.createConsumer(settings, handlerOf(each));
  });
  if (serve) {
    const { queue, prefetch, answer } = serve;
    const settings = { queue, queueOptions, qos: { prefetchCount: prefetch } };
    consumers.push(rabbit.createConsumer(settings, ({ body }, reply) => reply(answer(body))));
  }
  await Promise.all(consumers.map((consumer) => new Promise((resolve) => consumer.once('ready', resolve))));
  const publisher = publish && rabbit.createPublisher({ confirm: true });
  const caller = call && rabbit.createRPCClient({ timeout: deadline });
  const envelope = { routingKey: publish?.queue, durable: publish?.persistent };
  return {
    publish: (body, done) => told(publisher.send(envelope, body), done),
    call(body, done, queue = call.queue) {
      caller.send(queue, body).then(({ body: reply }) => done(null, reply), done);
    },
    async close() {
      await Promise.all([...consumers, publisher, caller].map((each) => each?.close()));
      await rabbit.close();
    },
  };
}

function handlerOf({ handle, fails }) {
  if (!fails) return ({ body }) => handle(body);
  return ({ body }) => {
    try {
      handle(body);
    } catch {
      return ConsumerStatus.DROP;
    }
    return ConsumerStatus.ACK;
  };
}
