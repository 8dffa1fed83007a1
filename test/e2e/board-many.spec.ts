// Many dead letters, more than the board can hold: what it reads, keeps and answers does not grow with them, and it says what it
// left out. A hundred thousand do the same and take half a minute, so these are fewer.
import { expect, it } from '@jest/globals';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { RabbitModule } from '@warren/nestjs';
import { BoardModule } from '@warren/board';
import type * as Api from '../../libs/board/src/api.js';
import { board, type BoardClient } from '../support/board.js';
import { onEmbedded } from '../support/brokers.js';
import { until } from '../support/events.js';

/** More than the 10 000 that a session holds. */
const ALL = 12_000;
/** One in so many is of the rare group. */
const RARE = 100;
const QUEUE = 'many.dead';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Of this process, broker and all, in MB. */
function memory(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1_000_000;
}

onEmbedded('many dead letters', (broker) => {
  /** Without ids and bodies of their own, so that they take little of the memory of this process. */
  async function fail(): Promise<void> {
    const channel = await (await broker.connect()).createConfirmChannel();
    await channel.assertQueue(QUEUE);
    await channel.assertQueue('many');
    const [usual, rare] = ['Usual', 'Rare'].map((error) => ({
      'x-warren-reason': 'rejected',
      'x-exception-type': error,
      'x-warren-queue': 'many',
    }));
    const body = Buffer.from('{"id":1}');
    for (let n = 0; n < ALL; n++)
      channel.sendToQueue(QUEUE, body, { headers: n % RARE === RARE - 1 ? rare : usual });
    await channel.waitForConfirms();
  }

  const length = async (queue: string): Promise<number> =>
    (await (await (await broker.connect()).createChannel()).checkQueue(queue)).messageCount;

  async function job(client: BoardClient, begun: Promise<{ body: Api.JobAnswer }>): Promise<Api.Job> {
    const { id } = (await begun).body.job;
    return until(async () => {
      const { jobs } = await client.get<Api.JobsAnswer>('jobs');
      return jobs.find((each) => each.id === id && each.endedAt !== null);
    }, 'the end of the job');
  }

  it('are read in part, in the memory of few, and replayed and dropped', async () => {
    const client = await board({
      imports: [
        RabbitModule.forRoot({ url: broker.url, service: 'many', queueType: 'classic' }),
        BoardModule.forRoot({
          management: false,
          access: () => ['look', 'replay', 'edit'],
        }),
      ],
    });
    const list = (query = ''): Promise<Api.LettersAnswer> =>
      client.get<Api.LettersAnswer>(`dead-letters/${QUEUE}?fresh=1&limit=500${query}`);
    await fail();
    const before = memory();

    const many = await list();
    expect(many.reading).toMatchObject({ messages: ALL, read: 2_000 });
    expect([many.total, many.letters.length]).toEqual([2_000, 500]);
    expect(many.groups.map(({ error, count }) => [error, count])).toEqual([
      ['Usual', 1_980],
      ['Rare', 20],
    ]);
    const all = await list('&all=1');
    expect(all.reading).toMatchObject({ messages: ALL, read: 10_000 });
    const rare = all.groups.find(({ error }) => error === 'Rare')!;
    const page = await client.get<Api.LettersAnswer>(
      `dead-letters/${QUEUE}?group=${rare.key}&offset=90&limit=20`,
    );
    expect([page.total, page.offset, page.letters.length]).toEqual([100, 90, 10]);
    expect(memory() - before).toBeLessThan(60);
    await until(async () => (await length(QUEUE)) === ALL, 'all of them to be in their places');

    const select = { group: rare.key };
    const some = await job(client, client.act('dead.replay', { queue: QUEUE, select }));
    expect(some).toMatchObject({ state: 'done', total: null });
    // It ends where 10 000 others are before what it has not seen.
    expect(some.done + some.leftOut).toBeGreaterThan(ALL - 10_200);
    expect(some.done).toBeGreaterThanOrEqual(100);
    expect(some.done).toBeLessThan(110);
    const { acts } = await client.get<Api.HistoryAnswer>('history');
    expect(acts[0].text).toContain(`${some.leftOut} not looked at`);

    const rest = await job(client, client.act('dead.replay', { queue: QUEUE, select: { all: true } }));
    expect(rest).toMatchObject({ state: 'done', done: ALL - some.done, leftOut: 0 });
    expect([await length(QUEUE), await length('many')]).toEqual([0, ALL]);
    const dropped = await job(
      client,
      client.act('dead.drop', { queue: 'many', select: { all: true }, save: 'none' }),
    );
    expect(dropped).toMatchObject({ state: 'done', done: ALL, leftOut: 0 });
    expect(memory() - before).toBeLessThan(60);
  });
});
