// @warren/amqp alone: a Broker without Nest.
import { Broker } from '@warren/amqp';
import { done as told } from '../bodies.mjs';

/** Consumers, an RPC server, a publisher and a caller of one Broker; resolves when all of them are ready. */
export async function open({ url, consume = [], serve, publish, call, deadline }) {
  const broker = new Broker({
    url,
    service: 'speed',
    queueType: 'classic',
    prefetch: consume[0]?.prefetch ?? serve?.prefetch,
    rpc: { timeout: deadline, maxPending: 20_000 },
  });
  consume.forEach(({ queue, handle }, index) =>
    broker.register({
      kind: 'consume',
      id: `Speed.take${index}`,
      patterns: [queue],
      options: {},
      handle: ({ payload }) => handle(payload),
    }),
  );
  if (serve) {
    broker.register({
      kind: 'rpc',
      id: 'Speed.answer',
      patterns: [serve.queue],
      options: {},
      handle: ({ payload }) => serve.answer(payload),
    });
  }
  await broker.open();
  const options = { persistent: publish?.persistent };
  return {
    publish: (body, done) => told(broker.send(publish.queue, body, options), done),
    call: (body, done, queue = call.queue) => told(broker.request(queue, body), done),
    close: () => broker.close(),
  };
}
