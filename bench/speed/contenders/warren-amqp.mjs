// @warren/amqp alone: a Broker without Nest.
import { Broker, SILENT } from '@warren/amqp';
import { done as told } from '../bodies.mjs';
import { handlerOptions } from './warren-options.mjs';

/** @typedef {import('./bare.mjs').Done} Done */

/**
 * Consumers, an RPC server, a publisher and a caller of one Broker; resolves when all of them are ready.
 *
 * @param {import('./bare.mjs').Roles} roles
 */
export async function open({ url, consume = [], serve, publish, call, deadline }) {
  const broker = new Broker({
    url,
    service: 'speed',
    queueType: 'classic',
    prefetch: consume[0]?.prefetch ?? serve?.prefetch,
    rpc: { timeout: deadline, maxPending: 20_000 },
    // Nobody else logs failures here.
    logger: consume[0]?.fails ? SILENT : undefined,
  });
  consume.forEach((each, index) => {
    const { queue, batch, handle } = each;
    broker.register({
      kind: 'consume',
      id: `Speed.take${index}`,
      patterns: [queue],
      options: handlerOptions(each),
      handle: batch
        ? (/** @type {any} */ list) => handle(list.map(payloadOf))
        : (/** @type {any} */ { payload }) => handle(payload),
    });
  });
  if (serve) {
    broker.register({
      kind: 'rpc',
      id: 'Speed.answer',
      patterns: [serve.queue],
      options: {},
      handle: (/** @type {any} */ { payload }) => serve.answer(payload),
    });
  }
  await broker.open();
  const options = { persistent: publish?.persistent };
  return {
    /** @param {unknown} body @param {Done} done */
    publish: (body, done) => told(broker.send(publish?.queue ?? '', body, options), done),
    /** @param {unknown[]} bodies @param {Done} done */
    publishMany(bodies, done) {
      const list = bodies.map((payload) => ({ target: publish?.queue ?? '', payload }));
      told(broker.sendMany(list, options), done);
    },
    /** @param {unknown} body @param {Done} done @param {string} [queue] */
    call: (body, done, queue = call?.queue ?? '') => told(broker.request(queue, body), done),
    /** @param {unknown} body */
    stream: (body) => broker.stream(call?.queue ?? '', body),
    close: () => broker.close(),
  };
}

const payloadOf = (/** @type {{ payload: unknown }} */ { payload }) => payload;
