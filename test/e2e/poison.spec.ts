// A message that ends the process of whoever handles it. The broker counts for a quorum queue, and the
// message is taken out before it runs a sixth time; nobody counts for a classic one.

import { spawn } from 'node:child_process';
import { expect, it } from '@jest/globals';
import { onEachBroker, type TestBroker } from '../support/brokers.js';
import { within } from '../support/events.js';
import { count, taken, warren } from '../support/warren.js';

/** Handles `QUEUE` until it is killed by a message that says so, or had one verdict. */
const PROGRAM = `
  import { writeSync } from 'node:fs';
  import { Broker, SILENT } from '@warren/amqp';
  const { URL, QUEUE, TYPE } = process.env;
  const rabbit = new Broker({ url: URL, service: 't', queueType: TYPE, prefetch: 1, logger: SILENT });
  rabbit.register({
    kind: 'consume', id: 'deadly', patterns: [QUEUE], options: {},
    handle: ({ payload, message }) => {
      writeSync(1, 'run ' + message.redelivered + '\\n');
      if (payload === 'kill') process.kill(process.pid, 'SIGKILL');
    },
  });
  rabbit.on(({ kind, verdict }) => {
    if (kind === 'handled') writeSync(1, verdict.kind + '\\n');
    if (kind === 'settled') rabbit.close();
  });
  await rabbit.open();
`;

/** One life of that program: what it said. */
async function life(broker: TestBroker, queue: string, type: string): Promise<string[]> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM], {
    env: { ...process.env, URL: broker.url, QUEUE: queue, TYPE: type, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => (output += data.toString()));
  const closed = new Promise<void>((resolve) => child.on('close', () => resolve()));
  await within(closed, `the program to end; it said: ${output}`);
  return output.trim().split('\n');
}

onEachBroker('a message that kills the process', (broker) => {
  it('of a quorum queue is dead-lettered before it runs a sixth time, and the next one is handled', async () => {
    const queue = 'deadly.quorum';
    await warren(broker.url, { consumers: false, queueType: 'quorum' })
      .consume(queue, () => 1)
      .open();
    const { broker: publisher } = warren(broker.url);
    await publisher.send(queue, 'kill');
    await publisher.send(queue, 'harmless');
    const lives: string[][] = [];
    for (let n = 0; n < 5; n++) lives.push(await life(broker, queue, 'quorum'));
    expect(lives).toEqual([['run false'], ...Array.from({ length: 4 }, () => ['run true'])]);

    expect(await life(broker, queue, 'quorum')).toEqual(['dead-letter']);
    expect((await taken(broker, `${queue}.dead`)).properties.headers).toMatchObject({
      'x-warren-reason': 'poison',
      'x-exception-message': expect.stringContaining('delivered 5 times without an outcome'),
    });
    expect(await life(broker, queue, 'quorum')).toEqual([expect.stringMatching(/^run/), 'ack']);
    expect(await count(broker, queue)).toBe(0);
  });

  it('of a classic queue comes back every time; all that can be known is that it was delivered before', async () => {
    const queue = 'deadly.classic';
    await warren(broker.url, { consumers: false })
      .consume(queue, () => 1)
      .open();
    await warren(broker.url).broker.send(queue, 'kill');
    const lives: string[][] = [];
    for (let n = 0; n < 7; n++) lives.push(await life(broker, queue, 'classic'));
    expect(lives).toEqual([['run false'], ...Array.from({ length: 6 }, () => ['run true'])]);
    expect(await count(broker, queue)).toBe(1);
  });
});
