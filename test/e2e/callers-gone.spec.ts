// ifCallerGone: a request whose caller died without a word is not run, wherever it waited.

import { expect, it } from '@jest/globals';
import { onEachBroker } from '../support/brokers.js';
import { Collector, until } from '../support/events.js';
import { warren } from '../support/warren.js';

onEachBroker('callers that are gone', (broker) => {
  it('leave requests in the queue, which are run only for handlers that want them', async () => {
    const connection = await broker.connect();
    const channel = await connection.createConfirmChannel();
    await channel.consume('amq.rabbitmq.reply-to', () => undefined, { noAck: true });
    for (const queue of ['wanted', 'unwanted']) {
      await channel.assertQueue(queue);
      channel.sendToQueue(queue, Buffer.from('1'), {
        replyTo: 'amq.rabbitmq.reply-to',
        correlationId: queue,
        expiration: '60000',
        // As of a caller that sent it a second ago.
        headers: { 'x-warren-deadline': Date.now() + 59_000 },
      });
    }
    await channel.waitForConfirms();
    await connection.close();
    const ran = new Collector<string>('handlers');
    const skipped = new Collector<string>('skipped requests');
    const server = warren(broker.url)
      .rpc('wanted', ({ queue }) => ran.push(queue))
      .rpc('unwanted', ({ queue }) => ran.push(queue), { ifCallerGone: 'skip' });
    server.broker.on(
      (event) => event.kind === 'call-skipped' && skipped.push(`${event.queue}: ${event.reason}`),
    );
    await server.open();
    expect(await skipped.one()).toBe('unwanted: gone');
    expect(await ran.one()).toBe('wanted');
    const busy = () => server.broker.status().consumers.some(({ inFlight }) => inFlight > 0);
    await until(() => !busy(), 'both to be settled');
  });
});
