// A message that ends the process of whoever handles it. The broker counts for a quorum queue, and the message is taken out
// before it runs a sixth time, and no other one with it; nobody counts for a classic one.

import { spawn } from 'node:child_process';
import { expect, it } from '@jest/globals';
import { onEachBroker, type TestBroker } from '../support/brokers.js';
import { Collector, until, within } from '../support/events.js';
import { count, eventOf, taken, warren, type Warren } from '../support/warren.js';

/** Handles `QUEUE` until it is killed by a message that says so, or had one verdict. */
const PROGRAM = `
  import { writeSync } from 'node:fs';
  import { Broker, SILENT } from '@warren/amqp';
  const { URL, QUEUE, TYPE, PREFETCH = '1', QUIET, RETRY, WARN } = process.env;
  const prefetch = Number(PREFETCH);
  const warn = (line) => WARN && writeSync(1, line + '\\n');
  const logger = { ...SILENT, warn };
  const rabbit = new Broker({ url: URL, service: 't', queueType: TYPE, prefetch, logger });
  rabbit.register({
    kind: 'consume', id: 'deadly', patterns: [QUEUE], options: RETRY ? { retry: { delays: '100ms' } } : {},
    handle: async ({ payload, attempt }) => {
      if (RETRY && attempt === 1) throw new Error('again');
      writeSync(1, 'run ' + payload + '\\n');
      if (RETRY && payload === 'kill') process.kill(process.pid, 'SIGKILL');
      if (payload !== 'kill') return;
      // Those that were fetched beside it run meanwhile.
      for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve));
      process.kill(process.pid, 'SIGKILL');
    },
  });
  rabbit.on(({ kind, verdict }) => {
    if (kind === 'handled') writeSync(1, verdict.kind + '\\n');
    if (kind === 'settled' && !QUIET) rabbit.close();
  });
  // It ends when nothing came for a while, or in the middle of it.
  if (QUIET) {
    let seen = -1;
    const idle = setInterval(() => {
      const { consumers: [{ inFlight }], timers } = rabbit.status();
      if (inFlight === 0 && seen === 0) { clearInterval(idle); rabbit.close(); }
      seen = inFlight;
    }, 1_500);
  }
  await rabbit.open();
`;

/** One life of that program: what it said. */
async function life(
  broker: TestBroker,
  queue: string,
  type: string,
  more: Record<string, string> = {},
): Promise<string[]> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM], {
    env: { ...process.env, URL: broker.url, QUEUE: queue, TYPE: type, NODE_OPTIONS: '', ...more },
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
  /** Lives until the dead-letter queue has as many as that; what they said. */
  const lives = async (queue: string, dead: number, most: number): Promise<string[][]> => {
    const all: string[][] = [];
    while ((await count(broker, `${queue}.dead`)) < dead && all.length < most)
      all.push(await life(broker, queue, 'quorum'));
    return all;
  };
  const declared = (queue: string): Promise<Warren> =>
    warren(broker.url, { consumers: false, queueType: 'quorum' })
      .consume(queue, () => 1)
      .open();

  it('in the first moment of an attempt that it waited for ends as well, and leaves one dead letter', async () => {
    const queue = 'deadly.waited';
    const { broker: publisher } = await declared(queue);
    await publisher.send(queue, 'kill');
    const runs: string[] = [];
    for (let n = 0; n < 12 && (await count(broker, `${queue}.dead`)) === 0; n++)
      runs.push(
        ...(await life(broker, queue, 'quorum', { RETRY: '1' })).filter((line) => line === 'run kill'),
      );
    expect(runs.length).toBeGreaterThanOrEqual(4);
    expect(runs.length).toBeLessThanOrEqual(5);
    expect(await count(broker, `${queue}.dead`)).toBe(1);
    expect(await count(broker, queue)).toBe(0);
  }, 60_000);

  it('of a quorum queue is dead-lettered before it runs a sixth time, and the next one is handled', async () => {
    const queue = 'deadly.quorum';
    const { broker: publisher } = await declared(queue);
    await publisher.send(queue, 'kill');
    await publisher.send(queue, 'harmless');
    const said = (await lives(queue, 1, 12)).flat();
    // Four when the process that closed was just given it to run alone.
    const runs = said.filter((line) => line.startsWith('run kill')).length;
    expect([4, 5]).toContain(runs);
    expect((await taken(broker, `${queue}.dead`)).properties.headers).toMatchObject({
      'x-warren-reason': 'poison',
      'x-exception-message': expect.stringContaining('delivered 5 times without being acked'),
    });
    if (!said.includes('run harmless')) said.push(...(await life(broker, queue, 'quorum')));
    expect(said).toContain('run harmless');
    expect(await count(broker, queue)).toBe(0);
  });

  it('takes none of the 61 with it that were fetched beside it', async () => {
    const queue = 'deadly.neighbours';
    const { broker: publisher } = await declared(queue);
    for (let n = 0; n < 62; n++) await publisher.send(queue, n === 20 ? 'kill' : n);
    const said: string[] = [];
    const left = async (): Promise<number> => count(broker, queue);
    for (let n = 0; n < 12 && (n === 0 || (await left()) > 0); n++)
      said.push(...(await life(broker, queue, 'quorum', { PREFETCH: '62', QUIET: '1' })));
    expect(said.filter((line) => line.startsWith('run kill'))).toHaveLength(5);
    expect(new Set(said.filter((line) => /^run \d/.test(line))).size).toBe(61);
    const dead = await taken(broker, `${queue}.dead`);
    expect(dead.content.toString()).toBe('kill');
    expect(await count(broker, `${queue}.dead`)).toBe(0);
  });

  it('is none of those that were fetched when connections were cut, however often', async () => {
    const queue = 'deadly.cut';
    const began = new Collector<number>('runs');
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const rabbit = await warren(broker.url, { queueType: 'quorum' })
      .consume(queue, ({ payload }) => (began.push(payload as number), released), {
        prefetch: 40,
        concurrency: 2,
      })
      .open();
    const { broker: publisher } = warren(broker.url);
    for (let n = 0; n < 40; n++) await publisher.send(queue, n);
    const fetched = (): Promise<unknown> =>
      until(() => rabbit.broker.status().consumers[0].inFlight === 40, 'all to be fetched');
    await fetched();
    for (let cut = 0; cut < 7; cut++) {
      await broker.closeConnections();
      await eventOf(rabbit, 'consumer-lost');
      await fetched();
    }
    release();
    await until(() => new Set(began.all).size === 40, 'all to run');
    await until(() => rabbit.broker.status().consumers[0].inFlight === 0, 'all to be settled');
    expect([await count(broker, queue), await count(broker, `${queue}.dead`)]).toEqual([0, 0]);
  });

  it('is not told by headers that somebody copied: on its first delivery a message runs', async () => {
    const queue = 'deadly.copied';
    const runs = new Collector<unknown>('runs');
    const rabbit = await warren(broker.url, { queueType: 'quorum' })
      .consume(queue, ({ payload, attempt }) => runs.push([payload, attempt]), { retry: { attempts: 2 } })
      .open();
    const copies = [
      { 'x-delivery-count': 50, 'x-acquired-count': 50 },
      { 'x-warren-attempt': 9 },
      { 'x-warren-trial': 9 },
    ];
    for (const [n, headers] of copies.entries())
      (await (await broker.connect()).createChannel()).sendToQueue(queue, Buffer.from(String(n)), {
        headers,
      });
    const got = await runs.take(3);
    expect(got.sort()).toEqual([0, 1, 2].map((n) => [n, 1]));
    await until(() => rabbit.broker.status().consumers[0].inFlight === 0, 'all to be settled');
    expect(await count(broker, `${queue}.dead`)).toBe(0);
  });

  it('of a classic queue comes back every time; each process says which message that may be', async () => {
    const queue = 'deadly.classic';
    await warren(broker.url, { consumers: false })
      .consume(queue, () => 1)
      .open();
    await warren(broker.url).broker.send(queue, 'kill', { messageId: 'bad' });
    const lives: string[][] = [];
    for (let n = 0; n < 3; n++) lives.push(await life(broker, queue, 'classic', { WARN: '1' }));
    const said = expect.stringContaining(
      `message bad of queue '${queue}' was delivered before and not settled`,
    );
    expect(lives).toEqual([['run kill'], [said, 'run kill'], [said, 'run kill']]);
    expect(await count(broker, queue)).toBe(1);
  });
});
