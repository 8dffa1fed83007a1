// Attacks by reply address: a request says where its answer goes. RabbitMQ before 4.3 closes the connection that answers to
// some addresses, and 4.0 stops reading from it for seconds; any RabbitMQ writes an answer into whatever queue is named.

import { expect, it } from '@jest/globals';
import { onEachBroker, type TestBroker } from '../support/brokers.js';
import { until, within } from '../support/events.js';
import { count, logged, warren } from '../support/warren.js';

const DIRECT = 'amq.rabbitmq.reply-to';

/** As RabbitMQ makes them. */
function address(node: string, id: number, atom = 118): string {
  const name = Buffer.from(node);
  const numbers = Buffer.alloc(12, 1);
  numbers.writeUInt32BE(id);
  const length = atom === 119 ? [name.length] : [0, name.length];
  const pid = Buffer.concat([Buffer.from([131, 88, atom, ...length]), name, numbers]);
  return `${DIRECT}.${pid.toString('base64')}.${Buffer.alloc(16, id).toString('base64')}`;
}

/** A caller's own address, with another process: what somebody can make who serves a call. */
function besides(real: string, id: number): string {
  const [process = '', key = ''] = real.slice(DIRECT.length + 1).split('.');
  const pid = Buffer.from(process, 'base64');
  pid.writeUInt32BE(id, pid.length - 12);
  return `${DIRECT}.${pid.toString('base64')}.${key}`;
}

/** What a stranger tries, endlessly. Forms that no broker makes, nodes that are not there, processes that are not there. */
function* hostile(real: string): Generator<string> {
  for (let n = 1; ; n++) {
    yield address('rabbit@nowhere', n);
    yield address('reply@x', n);
    yield address(`reply@${n}`, n, 119);
    yield `${DIRECT}.Zm9v${n}.YmFy`;
    yield address(`reply@${16_777_216 + n}`, n);
    yield besides(real, 500_000 + n);
    yield besides(real, 0x10000000 + n);
  }
}

async function realAddress(broker: TestBroker): Promise<string> {
  const channel = await (await broker.connect()).createChannel();
  const { queue } = await channel.assertQueue('', { exclusive: true });
  await channel.consume(DIRECT, () => undefined, { noAck: true });
  channel.sendToQueue(queue, Buffer.from('1'), { replyTo: DIRECT });
  const message = await until(() => channel.get(queue, { noAck: true }), 'an address');
  return String(message.properties.replyTo);
}

onEachBroker('hostile reply addresses', (broker) => {
  it('cost honest callers nothing, however many come', async () => {
    const server = await warren(broker.url)
      .rpc('served', ({ payload }) => payload)
      .open();
    const client = await warren(broker.url).open();
    const call = async (n: number): Promise<number> => {
      const began = performance.now();
      expect(await client.broker.request('served', n, { timeout: '20s' })).toBe(n);
      return performance.now() - began;
    };
    let quiet = 0;
    for (let n = 0; n < 20; n++) quiet = Math.max(quiet, await call(n));
    const channel = await (await broker.connect()).createChannel();
    const addresses = hostile(await realAddress(broker));
    let [going, sent] = [true, 0];
    const attack = setInterval(() => {
      const replyTo = addresses.next().value as string;
      channel.sendToQueue('served', Buffer.from('1'), {
        ...{ replyTo, correlationId: 'x' },
        contentType: 'application/json',
      });
      sent++;
    }, 50);
    const took: number[] = [];
    const caller = async (): Promise<void> => {
      for (let n = 1; going; n++) {
        took.push(await call(n));
        // waits: an honest caller is not in a hurry
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    const callers = [1, 2, 3, 4].map(caller);
    await until(() => sent >= 60, 'the attack to last for a while');
    clearInterval(attack);
    going = false;
    await within(Promise.all(callers), 'every call to be answered');
    took.sort((one, other) => one - other);
    const [p50, p99] = [0.5, 0.99].map((part) => took[Math.floor(took.length * part)]);
    if (process.env.WARREN_FIGURES) console.log({ calls: took.length, p50, p99 });
    // On a busy machine calls are slow without an attack, too.
    expect(p99).toBeLessThan(1_000 + 10 * quiet);
    const lost = server.events.all.flatMap((event) =>
      event.kind === 'disconnected' ? [event.connection] : [],
    );
    expect(lost.filter((name) => name !== 'test:first-reply')).toEqual([]);
    expect(await count(broker, 'served')).toBe(0);
  });
});

onEachBroker('an answer', (broker) => {
  it('is not written into a queue that the request names, unless that is allowed', async () => {
    const channel = await (await broker.connect()).createChannel();
    for (const queue of ['payments', 'clients.7']) await channel.assertQueue(queue);
    const { queue: own } = await channel.assertQueue('', { exclusive: true });
    const server = await warren(broker.url, { rpc: { replyTo: ['clients.'] } })
      .rpc('fenced', () => 'answer')
      .open();
    for (const replyTo of ['payments', 'clients.7', own]) {
      channel.sendToQueue('fenced', Buffer.from('1'), { replyTo, contentType: 'application/json' });
    }
    await until(async () => (await count(broker, 'clients.7')) === 1, 'the answer that is allowed');
    await until(() => channel.get(own, { noAck: true }), 'the answer in the exclusive queue');
    await logged(server, "reply-to 'payments' is not allowed");
    expect(await count(broker, 'payments')).toBe(0);
  });
});
