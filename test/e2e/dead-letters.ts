// Dead letters for the tests of the dead-letter client, made as the library makes them, and what is in a queue afterwards.

import type { TestBroker } from '../support/brokers.js';
import { until } from '../support/events.js';

/** Kinds of dead-letter queues. The last is what a quorum queue's own would be on a broker with a delivery limit. */
export const kinds = [
  { kind: 'classic', args: { 'x-queue-type': 'classic' } },
  { kind: 'quorum', args: { 'x-queue-type': 'quorum' } },
  { kind: 'limited', args: { 'x-queue-type': 'quorum', 'x-delivery-limit': 1_000_000_000 } },
];

/** Fills `<queue>.dead` and makes an empty `queue`; errors are Error and TypeError in turn. Resolves with the ids. */
export async function fill(
  broker: TestBroker,
  queue: string,
  size: number,
  args: object,
  extra: object = {},
): Promise<string[]> {
  const channel = await (await broker.connect()).createConfirmChannel();
  await channel.assertQueue(queue, { durable: true });
  await channel.assertQueue(`${queue}.dead`, { durable: true, arguments: args });
  const ids = Array.from({ length: size }, (_, index) => `${queue}-${index}`);
  ids.forEach((messageId, index) => {
    channel.sendToQueue(`${queue}.dead`, Buffer.from(JSON.stringify({ order: index })), {
      messageId,
      persistent: true,
      contentType: 'application/json',
      headers: {
        tenant: 'eu',
        'x-warren-attempt': 4,
        'x-warren-reason': 'attempts-exhausted',
        'x-warren-queue': queue,
        'x-warren-handler': 'Orders.place',
        'x-warren-failed-at': new Date().toISOString(),
        'x-exception-type': index % 2 === 0 ? 'Error' : 'TypeError',
        'x-exception-message': `no luck with ${index}`,
        'x-exception-stacktrace': `Error: no luck with ${index}\n    at place (orders.js:7:1)`,
        'x-original-exchange': 'events',
        'x-original-routingKey': `order.${index}`,
        ...extra,
      },
    });
  });
  await channel.waitForConfirms();
  return ids;
}

/** Waits until so many messages are there for everybody. */
export async function ready(broker: TestBroker, queue: string, size: number): Promise<void> {
  const channel = await (await broker.connect()).createChannel();
  let found = -1;
  await until(
    async () => (found = (await channel.checkQueue(queue)).messageCount) === size,
    `${size} messages in '${queue}'`,
  ).catch((error: Error) => {
    throw new Error(`${error.message} There are ${found}.`);
  });
}

/** Takes everything out of a queue; resolves with the ids in their order. */
export async function idsOf(broker: TestBroker, queue: string): Promise<string[]> {
  const channel = await (await broker.connect()).createChannel();
  const ids: string[] = [];
  for (;;) {
    const message = await channel.get(queue, { noAck: true });
    if (!message) return ids;
    ids.push(String(message.properties.messageId));
  }
}
